'use strict'
const fs = require('node:fs')
const path = require('node:path')
const { dataFolder } = require('./config.cjs')
const { load } = require('./tree.cjs')

const folder = dataFolder(process.env)
fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
const keys = load('ssb-keys').loadOrCreateSync(path.join(folder, 'secret'))
console.log(`This pub is ${keys.id}`)
