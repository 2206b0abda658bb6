// A client that the compiler holds to the schema. What is marked as an error must be one: else the types say nothing.

import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { AnythingDocument, OrdersDocument, PlaceDocument } from './__generated__/operations.js';

declare function ask<Data, Variables>(document: TypedDocumentNode<Data, Variables>, variables: Variables): Promise<Data>;

export async function dueToday(): Promise<string[]> {
  const { userHomestayOrderList } = await ask(OrdersDocument, { first: 10, states: ['WAIT_PAY'] });
  // @ts-expect-error -- a state that there is not
  await ask(OrdersDocument, { states: ['LOST'] });
  return userHomestayOrderList.nodes.map((order) => {
    const amount: number = order.orderTotalPrice.amountMinor;
    // @ts-expect-error -- null once the order is not to be paid any more
    const deadline: string = order.payBefore;
    // @ts-expect-error -- was not asked for
    const remark = order.remark;
    return `${order.sn} ${amount} ${deadline} ${remark}`;
  });
}

export async function place(): Promise<string> {
  const stay = { homestayId: '1', liveStartDate: '2027-05-01', liveEndDate: '2027-05-03', livePeopleNum: 2 };
  const { createHomestayOrder } = await ask(PlaceDocument, { input: stay });
  // @ts-expect-error -- an order has nights, and people who sleep there
  await ask(PlaceDocument, { input: { homestayId: '1' } });
  for (const problem of createHomestayOrder.userErrors) {
    if (problem.__typename === 'DatesUnavailableError') return problem.nights.join();
    if (problem.code === 'TOO_MANY_GUESTS') return problem.message;
  }
  // @ts-expect-error -- null where it was refused
  return createHomestayOrder.order.sn;
}

export async function title(id: string): Promise<string> {
  const { node } = await ask(AnythingDocument, { id });
  switch (node?.__typename) {
    case 'Homestay':
      return node.title;
    case 'HomestayOrder':
      return node.sn;
    default:
      return '';
  }
}
