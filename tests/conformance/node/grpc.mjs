// grpc-js, with a client made from proto/order.proto at run time: what a back-end service in another language sees.

import assert from 'node:assert/strict';
import { Client, credentials, loadPackageDefinition, status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { run } from './check.mjs';
import { orderService, stay } from './product.mjs';

const GUEST = 4711;
const DEADLINE = 5_000; // ms of a call

const proto = new URL('../../../proto/order.proto', import.meta.url).pathname;
const { pb } = loadPackageDefinition(loadSync(proto, { keepCase: true, longs: Number, defaults: true }));
assert.equal(Object.getPrototypeOf(pb.order), Client);
const orders = new pb.order(orderService, credentials.createInsecure());

function call(method, request) {
  return new Promise((resolve, reject) => {
    orders[method](request, { deadline: Date.now() + DEADLINE }, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

const refused = (method, request) => call(method, request).then(() => assert.fail('it was answered'), (error) => error);

const { liveStartDate, liveEndDate } = stay();
// A date is midnight where the homestay stands.
const midnight = (date) => Date.parse(`${date}T00:00:00+08:00`) / 1000;
const request = {
  homestayId: 1,
  isFood: true,
  liveStartTime: midnight(liveStartDate),
  liveEndTime: midnight(liveEndDate),
  userId: GUEST,
  livePeopleNum: 2,
  remark: 'by gRPC',
};
let sn;

await run({
  'create gives the number of an order': async () => {
    ({ sn } = await call('createHomestayOrder', request));
    assert.match(sn, /^HSO\d{14}\w{8}$/);
  },

  'detail gives the order': async () => {
    const { homestayOrder } = await call('homestayOrderDetail', { sn });
    const { userId, tradeState, orderTotalPrice, needFood, tradeCode, remark } = homestayOrder;
    assert.deepEqual(
      { userId, tradeState, orderTotalPrice, needFood, tradeCode, remark },
      { userId: GUEST, tradeState: 0, orderTotalPrice: 71800, needFood: 1, tradeCode: '', remark: 'by gRPC' },
    );
    assert.equal(homestayOrder.liveStartDate, request.liveStartTime);
    assert.equal(homestayOrder.liveEndDate, request.liveEndTime);
  },

  'list gives it to its guest alone': async () => {
    const list = { lastId: 0, pageSize: 10, traderState: -99 };
    const mine = await call('userHomestayOrderList', { ...list, userId: GUEST });
    assert.deepEqual(mine.list.map((order) => order.sn), [sn]);
    const others = await call('userHomestayOrderList', { ...list, userId: GUEST + 1 });
    assert.deepEqual(others.list, []);
  },

  'list goes on where a page ended': async () => {
    const { homestayOrder } = await call('homestayOrderDetail', { sn });
    const page = await call('userHomestayOrderList', { lastId: homestayOrder.id, pageSize: 10, userId: GUEST, traderState: -99 });
    assert.deepEqual(page.list, []);
  },

  'taken nights are refused with a status of gRPC': async () => {
    const error = await refused('createHomestayOrder', request);
    assert.equal(status[error.code], 'FAILED_PRECONDITION');
  },

  'a missing order is NOT_FOUND': async () => {
    const error = await refused('homestayOrderDetail', { sn: 'HSO20260101000000AAAAAAAA' });
    assert.equal(status[error.code], 'NOT_FOUND');
  },

  'an update closes the order': async () => {
    await call('updateHomestayOrderTradeState', { sn, tradeState: -1 });
    const { homestayOrder } = await call('homestayOrderDetail', { sn });
    assert.equal(homestayOrder.tradeState, -1);
  },
});
