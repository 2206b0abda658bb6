// The schema and its resolvers, the same for both servers.
import DataLoader from 'dataloader'
import { createVerifier } from 'fast-jwt'
import { GraphQLError, GraphQLScalarType } from 'graphql'
import { createSchema } from 'graphql-yoga'
import { readFileSync } from 'node:fs'
import { Database } from './database.js'
import { WAIT_PAY, cursorNumber } from './order.js'
import { place } from './placing.js'
import { Upstreams } from './upstreams.js'

const SDL = new URL('../schema.graphql', import.meta.url)
const DATE = /^\d{4}-\d\d-\d\d$/

const { env } = process
const database = new Database(env.HOMESTAY_DATABASE_URL)
const upstreams = new Upstreams(env.HOMESTAY_TRAVEL_ADDR, env.HOMESTAY_PAYMENT_ADDR)
// Without fast-jwt's cache: finding an HS256 token there costs a hash, as verifying it does.
const verify = createVerifier({
  key: env.HOMESTAY_JWT_SECRET,
  algorithms: ['HS256'],
  requiredClaims: ['exp', 'iat'],
  clockTolerance: 10_000,
})

export const port = Number(env.HOMESTAY_PORT)

class Loaders {
  #homestays

  // Each homestay of a page is asked for once.
  get homestays() {
    this.#homestays ??= new DataLoader((ids) => Promise.all(ids.map((id) => upstreams.homestay(id))))
    return this.#homestays
  }
}

// A plain object: yoga copies it.
export const contextOf = (authorization) => ({ userId: userOf(authorization), loaders: new Loaders() })

function userOf(authorization) {
  try {
    const { jwtUserId } = verify(authorization.slice('Bearer '.length))
    if (Number.isInteger(jwtUserId) && jwtUserId >= 1) return jwtUserId
  } catch {
    // As one that names nobody.
  }
  throw new GraphQLError('The token is not valid.', { extensions: { code: 'UNAUTHENTICATED', http: { status: 401 } } })
}

const scalar = (name, parseValue) => new GraphQLScalarType({ name, serialize: (value) => value, parseValue })

function parseDate(value) {
  if (typeof value !== 'string' || !DATE.test(value) || Number.isNaN(Date.parse(value)))
    throw new TypeError('A Date is written YYYY-MM-DD.')
  return value
}

function parseInteger(value) {
  const number = Number(value)
  if (!Number.isSafeInteger(number)) throw new TypeError('A BigInt is an integer.')
  return number
}

async function list(_, { first, after }, { userId }) {
  if (first < 1 || first > 100) throw new GraphQLError('A page has 1 to 100 orders.')
  const orders = await database.page(userId, after === undefined ? null : cursorNumber(after), first + 1)
  const hasNextPage = orders.length > first
  if (hasNextPage) orders.pop()
  return { nodes: orders, pageInfo: { hasNextPage, endCursor: orders.length ? orders.at(-1).cursor : null } }
}

export const schema = createSchema({
  typeDefs: readFileSync(SDL, 'utf8'),
  resolvers: {
    Date: scalar('Date', parseDate),
    DateTime: scalar('DateTime', (value) => value),
    BigInt: scalar('BigInt', parseInteger),
    UserError: { __resolveType: () => 'InputError' },
    Query: {
      userHomestayOrderList: list,
      userHomestayOrderDetail: (_, { sn }, { userId }) => database.find(userId, sn),
    },
    Mutation: { createHomestayOrder: (_, { input }, context) => place({ database, upstreams, userId: context.userId }, input) },
    HomestayOrder: {
      homestay: ({ row }, _, context) => context.loaders.homestays.load(row.homestay_id),
      payment: ({ row }) => (row.trade_state === WAIT_PAY ? null : upstreams.payment(row.sn)),
    },
  },
})
