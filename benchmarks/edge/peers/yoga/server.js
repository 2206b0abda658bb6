// graphql-yoga on Node's own server, with envelop's JIT; its caches of parsed and validated documents are on by default.
import { useGraphQlJit } from '@envelop/graphql-jit'
import { createYoga } from 'graphql-yoga'
import { createServer } from 'node:http'
import { contextOf, port, schema } from '../node/schema.js'

const yoga = createYoga({
  schema,
  context: ({ request }) => contextOf(request.headers.get('authorization')),
  plugins: [useGraphQlJit()],
  batching: false,
  cors: false,
  graphiql: false,
  landingPage: false,
  logging: false,
  multipart: false,
})
createServer(yoga).listen(port, '127.0.0.1', () => console.log(`ready on ${port}`))
