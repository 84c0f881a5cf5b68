"""What every reader's use case begins with."""

from directory_view import View
from errors import NotAllowed, NotFound
from rossio.directory.v1.directory_pb2 import PERSON_STATE_ACTIVE, Person
from rpc import Caller

from news.domain.post import Post


def reader(view: View, caller: Caller) -> Person:
    """The person who is reading; raises NotAllowed for somebody who does not work in the ministry."""
    person = view.person(caller.subject)
    if person is None or person.state != PERSON_STATE_ACTIVE:
        raise NotAllowed("only people of the directory have a feed", reason="NOT_IN_DIRECTORY")
    return person


def must_be_readable(post: Post, person: Person) -> None:
    """To all but its audience a post does not exist: raises NotFound."""
    if not post.may_be_read_by(person.number):
        raise NotFound("no such post", reason="POST_NOT_FOUND")
