// What a Relay application asks for: a list that grows as one scrolls, and an order that is looked at again.
const { graphql } = require('relay-runtime');

exports.page = graphql`
  query ordersPageQuery($count: Int!) {
    ...orders_list @arguments(count: $count)
  }
`;

exports.list = graphql`
  fragment orders_list on Query
  @refetchable(queryName: "ordersMoreQuery")
  @argumentDefinitions(count: { type: "Int", defaultValue: 2 }, cursor: { type: "String" }) {
    userHomestayOrderList(first: $count, after: $cursor) @connection(key: "orders_userHomestayOrderList") {
      edges {
        node {
          sn
          ...orders_order
        }
      }
    }
  }
`;

exports.order = graphql`
  fragment orders_order on HomestayOrder @refetchable(queryName: "ordersAgainQuery") {
    tradeState
  }
`;

exports.cancel = graphql`
  mutation ordersCancelMutation($sn: ID!) {
    cancelHomestayOrder(sn: $sn) {
      order {
        ...orders_order
      }
      userErrors {
        __typename
        code
      }
    }
  }
`;
