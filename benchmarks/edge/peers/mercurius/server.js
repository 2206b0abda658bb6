// mercurius on fastify, as its documentation has it at its fastest: every operation compiled from its first run on.
import fastify from 'fastify'
import mercurius from 'mercurius'
import { contextOf, port, schema } from '../node/schema.js'

const app = fastify({ logger: false })
app.register(mercurius, {
  schema,
  jit: 1,
  graphiql: false,
  context: (request) => contextOf(request.headers.authorization),
})
await app.listen({ host: '127.0.0.1', port })
console.log(`ready on ${port}`)
