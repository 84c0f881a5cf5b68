"""The composition root of directory."""

import service
from rossio.directory.v1.service_pb2_grpc import add_DirectoryServiceServicer_to_server

from directory.adapters.store import RECORD_INDEXES, StoredRecords
from directory.application.get_group import GetGroup
from directory.application.get_person import GetPerson
from directory.application.import_csv import ImportCsv
from directory.application.list_entities import ListEntities
from directory.application.list_people import ListPeople
from directory.application.put_group import PutGroup
from directory.application.put_person import PutPerson
from directory.application.who_am_i import WhoAmI
from directory.entrypoints.grpc import SERVICE, DirectoryApi, UseCases
from directory.settings import Settings


def build(app: service.App[Settings]) -> None:
    """Wires one process."""
    documents = app.collection("records", RECORD_INDEXES)
    imports = app.collection("imports")
    records = StoredRecords(documents, app.collection("counters"), imports)
    app.relay(imports, documents)
    use_cases = UseCases(
        who_am_i=WhoAmI(records),
        list_entities=ListEntities(records),
        get_person=GetPerson(records),
        list_people=ListPeople(records),
        put_person=PutPerson(records),
        get_group=GetGroup(records),
        put_group=PutGroup(records),
        import_csv=ImportCsv(records),
    )
    app.grpc(DirectoryApi(use_cases), add_DirectoryServiceServicer_to_server, SERVICE)


def main() -> None:
    service.run("directory", Settings, build)


if __name__ == "__main__":
    main()
