"""The exit codes of every command. An interrupted command exits with 130, which typer does."""

FINDINGS = 1  # something was found
ERROR = 2  # the command failed
UNDECIDED = 3  # only unknown answers remain (policy check)
UNREAD = 4  # one of several stacks could not be read; what the others have is shown
BROKEN_PIPE = 141  # the reader closed the pipe, as `head` does; shells report SIGPIPE like this
