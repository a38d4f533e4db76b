"""What replies mean: everything the product knows about HTTP and the envelope. Pure."""

from bulkpause.replies.pages import LIST_LIMIT, NO_QUERY, judge_page
from bulkpause.replies.puts import judge

__all__ = ["LIST_LIMIT", "NO_QUERY", "judge", "judge_page"]
