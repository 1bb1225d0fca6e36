// server.cjs FOLDER: serves the databases below FOLDER on loopback, to who has an account in FOLDER/accounts.
'use strict'

const { mkdirSync } = require('node:fs')
const { join } = require('node:path')
const { createRequire } = require('node:module')
const { checkPassword } = require('./accounts.cjs')

const fromTree = createRequire('/opt/pibake/pouchdb/package.json')
const express = fromTree('express')
const expressPouchDB = fromTree('express-pouchdb')
const PouchDB = fromTree('pouchdb')

const folder = process.argv[2]
const databases = join(folder, 'databases')
mkdirSync(databases, { recursive: true })
process.chdir(databases)

/** Basic authentication (RFC 7617). What is behind it knows of no accounts, so the header ends here. */
const authenticate = async (request, response, next) => {
  const [, encoded] = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(request.headers.authorization ?? '') ?? []
  const [, name, password] = /^([^:]*):(.*)$/s.exec(Buffer.from(encoded ?? '', 'base64').toString()) ?? []
  if (name !== undefined && (await checkPassword(join(folder, 'accounts'), name, password))) {
    delete request.headers.authorization
    return next()
  }
  response.set('WWW-Authenticate', 'Basic realm="databases"')
  response.status(401).json({ error: 'unauthorized', reason: 'Name or password is incorrect.' })
}

const app = express()
app.disable('x-powered-by')
app.use((request, response, next) => void authenticate(request, response, next).catch(next))
app.use(
  expressPouchDB(PouchDB.defaults({ prefix: `${databases}/` }), {
    mode: 'minimumForPouchDB',
    inMemoryConfig: true,
    overrideMode: { include: ['routes/find'] },
  }),
)
app.listen(5984, '127.0.0.1', () => console.log('the databases are served'))
