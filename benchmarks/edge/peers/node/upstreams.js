// The travel and payment services over gRPC, with our deadline.
import { credentials, loadPackageDefinition, status } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { fileURLToPath } from 'node:url'
import { Homestay, Payment } from './order.js'

const DEADLINE = 1000
const PROTO = fileURLToPath(new URL('../../../../proto/', import.meta.url))

function client(file, service, address) {
  const { pb } = loadPackageDefinition(loadSync(PROTO + file, { keepCase: true, longs: Number, defaults: true }))
  return new pb[service](address, credentials.createInsecure())
}

function ask(service, method, request) {
  return new Promise((resolve, reject) => {
    service[method](request, { deadline: Date.now() + DEADLINE }, (error, answer) => {
      if (error === null) resolve(answer)
      else if (error.code === status.NOT_FOUND) resolve(null)
      else reject(error)
    })
  })
}

export class Upstreams {
  constructor(travel, payment) {
    this.travel = client('travel.proto', 'travel', travel)
    this.payments = client('payment.proto', 'payment', payment)
  }

  async homestay(id) {
    const answer = await ask(this.travel, 'homestayDetail', { id })
    return answer === null ? null : new Homestay(answer.homestay)
  }

  async payment(orderSn) {
    const answer = await ask(this.payments, 'GetPaymentByOrderSn', { orderSn })
    return answer === null ? null : Payment.of(answer.paymentDetail)
  }
}
