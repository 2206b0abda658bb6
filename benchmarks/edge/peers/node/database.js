// Orders in MariaDB: prepared statements, dates as text, as few objects as can be.
import { createPool } from 'mysql2'
import { Order } from './order.js'

// As many as our own pool has.
const CONNECTIONS = 10

// Every column that a field of the schema may want: which are asked for is not known here, as it is not in ours.
const COLUMNS = [
  'id', 'sn', 'homestay_id', 'title', 'sub_title', 'cover', 'info', 'people_num', 'row_type', 'need_food', 'food_info',
  'food_price', 'homestay_price', 'market_homestay_price', 'live_start_date', 'live_end_date', 'live_people_num',
  'trade_state', 'trade_code', 'remark', 'order_total_price', 'food_total_price', 'homestay_total_price', 'create_time',
  'close_at', 'close_reason',
]
const STORED = [
  'sn', 'user_id', 'homestay_id', 'homestay_business_id', 'homestay_user_id', 'title', 'sub_title', 'cover', 'info',
  'people_num', 'row_type', 'need_food', 'food_info', 'food_price', 'homestay_price', 'market_homestay_price',
  'live_start_date', 'live_end_date', 'live_people_num', 'trade_state', 'trade_code', 'remark', 'order_total_price',
  'food_total_price', 'homestay_total_price', 'create_time', 'update_time', 'close_at', 'close_reason',
]

const DETAIL = `SELECT ${COLUMNS} FROM homestay_order WHERE sn = ? AND user_id = ? AND del_state = 0`
const NEWEST = `SELECT ${COLUMNS} FROM homestay_order WHERE user_id = ? AND del_state = 0 ORDER BY id DESC LIMIT ?`
const OLDER = `SELECT ${COLUMNS} FROM homestay_order WHERE user_id = ? AND del_state = 0 AND id < ? ORDER BY id DESC LIMIT ?`
const INSERT = `INSERT INTO homestay_order (${STORED}) VALUES (${STORED.map(() => '?')})`

export class Database {
  constructor(url) {
    const { hostname, port, username, password, pathname } = new URL(url)
    this.pool = createPool({
      host: hostname,
      port: Number(port),
      user: username,
      password,
      database: pathname.slice(1),
      connectionLimit: CONNECTIONS,
      dateStrings: true,
    })
  }

  // The callback interface: the promises of `mysql2/promise` cost more than this one.
  #execute(sql, values) {
    return new Promise((resolve, reject) => {
      this.pool.execute(sql, values, (error, rows) => (error ? reject(error) : resolve(rows)))
    })
  }

  async find(userId, sn) {
    const [row] = await this.#execute(DETAIL, [sn, userId])
    return row !== undefined && row.sn === sn ? new Order(row) : null
  }

  async page(userId, after, limit) {
    // A prepared LIMIT takes an integer, and mysql2 sends numbers as doubles.
    const size = String(limit)
    const rows = await (after === null
      ? this.#execute(NEWEST, [userId, size])
      : this.#execute(OLDER, [userId, after, size]))
    return rows.map((row) => new Order(row))
  }

  async add(row) {
    const { insertId } = await this.#execute(INSERT, STORED.map((name) => row[name]))
    return new Order({ ...row, id: insertId })
  }
}
