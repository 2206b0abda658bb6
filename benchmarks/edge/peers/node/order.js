// A row as the schema shows it. Getters, so that what nobody asks for costs nothing.

const TRADE_STATES = { '-1': 'CANCELLED', 0: 'WAIT_PAY', 1: 'WAIT_USE', 2: 'USED', 3: 'REFUNDED', 4: 'EXPIRED' }
const CLOSE_REASONS = { 1: 'GUEST', 2: 'UNPAID_TIMEOUT', 3: 'PAYMENT_FAILED' }
const SALE_UNITS = ['ROOM', 'PERSON']
const PAYMENT_STATUSES = { '-1': 'FAILED', 0: 'WAIT', 1: 'SUCCESS', 2: 'REFUNDED' }
export const WAIT_PAY = 0
// WAIT_USE, USED, EXPIRED: the check-in code opens a door, or has opened one.
const CODE_SHOWN = new Set([1, 2, 4])
const SUCCESS = 1
const REFUNDED = 2
const DAY = 86_400_000

export const globalId = (kind, key) => Buffer.from(`${kind}:${key}`).toString('base64')

const number = (id) => Number(/^\d+$/.test(id) ? id : Buffer.from(id, 'base64').toString().split(':')[1])
export const homestayNumber = number
export const cursorNumber = number

export class Money {
  constructor(fen) {
    this.amountMinor = fen
  }

  get currency() {
    return 'CNY'
  }

  get amount() {
    const fraction = this.amountMinor % 100
    return `${(this.amountMinor - fraction) / 100}.${fraction < 10 ? '0' : ''}${fraction}`
  }
}

// 'YYYY-MM-DD HH:MM:SS[.mmm]', UTC, to RFC 3339; milliseconds only where there are any.
function instant(text) {
  const end = text.length > 19 && !text.startsWith('.000', 19) ? 23 : 19
  return `${text.slice(0, 10)}T${text.slice(11, end)}Z`
}

export const nights = (start, end) => (Date.parse(end) - Date.parse(start)) / DAY

export class Order {
  constructor(row) {
    this.row = row
  }

  get id() { return globalId('HomestayOrder', this.row.sn) }
  get cursor() { return globalId('order', this.row.id) }
  get sn() { return this.row.sn }
  get homestayId() { return String(this.row.homestay_id) }
  get title() { return this.row.title }
  get subTitle() { return this.row.sub_title }
  get cover() { return this.row.cover || null }
  get info() { return this.row.info }
  get foodInfo() { return this.row.food_info }
  get saleUnit() { return SALE_UNITS[this.row.row_type] }
  get peopleNum() { return this.row.people_num }
  get livePeopleNum() { return this.row.live_people_num }
  get liveStartDate() { return this.row.live_start_date }
  get liveEndDate() { return this.row.live_end_date }
  get nights() { return nights(this.row.live_start_date, this.row.live_end_date) }
  get needFood() { return this.row.need_food === 1 }
  get homestayPrice() { return new Money(this.row.homestay_price) }
  get marketHomestayPrice() { return new Money(this.row.market_homestay_price) }
  get foodPrice() { return new Money(this.row.food_price) }
  get homestayTotalPrice() { return new Money(this.row.homestay_total_price) }
  get foodTotalPrice() { return new Money(this.row.food_total_price) }
  get orderTotalPrice() { return new Money(this.row.order_total_price) }
  get tradeState() { return TRADE_STATES[this.row.trade_state] }
  get closeReason() { return this.row.close_reason === null ? null : CLOSE_REASONS[this.row.close_reason] }
  get tradeCode() { return CODE_SHOWN.has(this.row.trade_state) ? this.row.trade_code : null }
  get remark() { return this.row.remark }
  get createTime() { return instant(this.row.create_time) }

  get payBefore() {
    return this.row.trade_state === WAIT_PAY && this.row.close_at !== null ? instant(this.row.close_at) : null
  }
}

export class Payment {
  constructor(detail) {
    this.detail = detail
  }

  // Of an unpaid one nobody is told.
  static of(detail) {
    return detail.payStatus === SUCCESS || detail.payStatus === REFUNDED ? new Payment(detail) : null
  }

  get sn() { return this.detail.sn }
  get payMode() { return this.detail.payMode }
  get payTotal() { return new Money(this.detail.payTotal) }
  get payTime() { return this.detail.payTime ? `${new Date(this.detail.payTime * 1000).toISOString().slice(0, 19)}Z` : null }
  get status() { return PAYMENT_STATUSES[this.detail.payStatus] }
}

export class Homestay {
  constructor(detail) {
    this.detail = detail
  }

  get id() { return globalId('Homestay', this.detail.id) }
  get homestayId() { return this.detail.id }
  get title() { return this.detail.title }
  get subTitle() { return this.detail.subTitle }
  get cover() { return this.detail.banner.split(',')[0] || null }
  get info() { return this.detail.info }
  get peopleNum() { return this.detail.peopleNum }
  get saleUnit() { return SALE_UNITS[this.detail.rowType] }
  get onShelf() { return this.detail.rowState === 1 }
  get homestayPrice() { return new Money(this.detail.homestayPrice) }
  get marketHomestayPrice() { return new Money(this.detail.marketHomestayPrice) }
  get foodInfo() { return this.detail.foodInfo }
  get foodPrice() { return new Money(this.detail.foodPrice) }
}
