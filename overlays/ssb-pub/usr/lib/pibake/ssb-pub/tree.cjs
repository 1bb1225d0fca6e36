'use strict'
const { createRequire } = require('node:module')

/** Folder that holds the stage's package.json and node_modules. */
const treeFolder = process.env.PIBAKE_SSB_TREE ?? '/opt/pibake/ssb-pub'

/** Loads a module of the stage's npm tree. */
exports.load = createRequire(`${treeFolder}/package.json`)
