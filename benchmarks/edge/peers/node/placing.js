// What an order is when it is placed: priced as ours, one row.
import { randomBytes } from 'node:crypto'
import { WAIT_PAY, homestayNumber, nights } from './order.js'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const PAY_WINDOW = 1_200_000
const SHANGHAI = 28_800_000
const PERSON = 1

const random = () => Array.from(randomBytes(8), (byte) => ALPHABET[byte & 31]).join('')
const sqlInstant = (date) => date.toISOString().slice(0, 23).replace('T', ' ')
const refused = (code, message, ...field) => ({ order: null, replayed: false, userErrors: [{ code, message, field }] })

export async function place(context, input) {
  const length = nights(input.liveStartDate, input.liveEndDate)
  if (!(length >= 1 && length <= 90)) return refused('INVALID_INPUT', 'A stay has 1 to 90 nights.', 'input', 'liveEndDate')
  if (input.livePeopleNum < 1) return refused('INVALID_INPUT', 'At least one guest stays.', 'input', 'livePeopleNum')
  const homestay = await context.upstreams.homestay(homestayNumber(input.homestayId))
  if (homestay === null) return refused('HOMESTAY_NOT_FOUND', 'There is no such homestay.', 'input', 'homestayId')
  if (!homestay.onShelf) return refused('HOMESTAY_OFF_SHELF', 'This homestay is not on sale.', 'input', 'homestayId')
  if (input.livePeopleNum > homestay.peopleNum)
    return refused('TOO_MANY_GUESTS', `This homestay holds ${homestay.peopleNum} guests.`, 'input', 'livePeopleNum')
  const order = await context.database.add(row(context.userId, input, homestay.detail, length))
  return { order, replayed: false, userErrors: [] }
}

function row(userId, input, homestay, length) {
  const now = new Date()
  const homestayTotal = homestay.homestayPrice * length * (homestay.rowType === PERSON ? input.livePeopleNum : 1)
  const foodTotal = input.needFood ? homestay.foodPrice * length * input.livePeopleNum : 0
  const local = new Date(now.getTime() + SHANGHAI).toISOString()
  const createTime = sqlInstant(now).slice(0, 19)
  return {
    sn: `HSO${local.slice(0, 19).replaceAll(/[-T:]/g, '')}${random()}`,
    user_id: userId,
    homestay_id: homestay.id,
    homestay_business_id: homestay.homestayBusinessId,
    homestay_user_id: homestay.userId,
    title: homestay.title.slice(0, 32),
    sub_title: homestay.subTitle.slice(0, 128),
    cover: homestay.banner.split(',')[0],
    info: homestay.info,
    people_num: homestay.peopleNum,
    row_type: homestay.rowType,
    need_food: input.needFood ? 1 : 0,
    food_info: homestay.foodInfo,
    food_price: homestay.foodPrice,
    homestay_price: homestay.homestayPrice,
    market_homestay_price: homestay.marketHomestayPrice,
    live_start_date: input.liveStartDate,
    live_end_date: input.liveEndDate,
    live_people_num: input.livePeopleNum,
    trade_state: WAIT_PAY,
    trade_code: random(),
    remark: input.remark,
    order_total_price: homestayTotal + foodTotal,
    food_total_price: foodTotal,
    homestay_total_price: homestayTotal,
    create_time: createTime,
    update_time: createTime,
    close_at: sqlInstant(new Date(now.getTime() + PAY_WINDOW)),
    close_reason: null,
  }
}
