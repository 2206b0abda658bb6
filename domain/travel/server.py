"""The travel gRPC service: what is on offer now. It never answers an empty homestay for a missing one."""

from typing import Final

from grpc import aio

from domain import rpc
from domain.database import Database
from domain.errors import HomestayNotFound, InvalidInput
from domain.travel import repository
from domain.travel.models import Homestay
from proto import travel_pb2, travel_pb2_grpc

# Homestays in one answer, which stays below a message's limit.
MAX_MANY: Final = 100


class TravelService(travel_pb2_grpc.travelServicer):
    """The one method of the existing travel service that orders need, and the same for several at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def homestayDetail(
        self, request: travel_pb2.HomestayDetailReq, context: object
    ) -> travel_pb2.HomestayDetailResp:
        """One homestay, on the shelf or not: who sells looks at its rowState.

        Raises:
            InvalidInput: no homestay can have such an id.
            HomestayNotFound: there is none, or it was deleted.
        """
        if request.id < 1:
            raise InvalidInput("A positive number is needed.", "id")
        homestay = await self._database.read(lambda connection: repository.find(connection, request.id))
        if homestay is None:
            raise HomestayNotFound("There is no such homestay.", "id")
        return travel_pb2.HomestayDetailResp(homestay=_message(homestay))

    async def homestayDetails(
        self, request: travel_pb2.HomestayDetailsReq, context: object
    ) -> travel_pb2.HomestayDetailsResp:
        """Several homestays, in no order; those that are missing are left out.

        Raises:
            InvalidInput: it asks for too many, or no homestay can have such an id.
        """
        ids = set(request.ids)
        if len(ids) > MAX_MANY or any(each < 1 for each in ids):
            raise InvalidInput(f"At most {MAX_MANY} positive numbers are needed.", "ids")
        found = await self._database.read(lambda connection: repository.find_many(connection, ids)) if ids else []
        return travel_pb2.HomestayDetailsResp(homestays=[_message(homestay) for homestay in found])


def server(database: Database, *, host: str, port: int) -> rpc.Server:
    """Returns the service, not yet started."""
    service = TravelService(database)

    def register(grpc_server: aio.Server) -> None:
        travel_pb2_grpc.add_travelServicer_to_server(service, grpc_server)

    return rpc.Server("pb.travel", register, host=host, port=port, ping=database.ping)


def _message(homestay: Homestay) -> travel_pb2.Homestay:
    return travel_pb2.Homestay(
        id=homestay.id,
        title=homestay.title,
        subTitle=homestay.sub_title,
        banner=homestay.banner,
        info=homestay.info,
        peopleNum=homestay.people_num,
        homestayBusinessId=homestay.homestay_business_id,
        userId=homestay.user_id,
        rowState=homestay.row_state,
        rowType=homestay.row_type,
        foodInfo=homestay.food_info,
        foodPrice=homestay.food_price,
        homestayPrice=homestay.homestay_price,
        marketHomestayPrice=homestay.market_homestay_price,
    )
