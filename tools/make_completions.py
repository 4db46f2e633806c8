"""Write the tables in completions/: commands, options, values, model names and their prompts.

    python tools/make_completions.py --update      write them
    python tools/make_completions.py --check       show what would change; 1 if anything would

Each file is shell code written by hand around a part between two marks, which is made here from
the commands and the catalogue. So nothing needs to run when TAB is pressed.
"""

import argparse
import difflib
import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

import typer

from embedcli.cli.app import app
from embedcli.models import catalog, local
from embedcli.models.reference import parse

FOLDER: Final = Path(__file__).parents[1] / "completions"
BEGIN: Final = "# -- generated --\n"
END: Final = "# -- end --\n"

# What stands for a value that is no word of a list: the shell code knows these.
FILE, MODEL, PULLED, PROMPT, NONE = "@file", "@model", "@pulled", "@prompt", "@none"
_FILES: Final = {"FILE", "OUT", "PATH", "FOLDER", "INPUT"}
_DEVICES: Final = "cpu cuda tensorrt rocm migraphx openvino dml coreml qnn"
_USUAL: Final = "query document"


@dataclass(frozen=True)
class Option:
    """An option: its spellings, and what its value may be; "" for one that takes none."""

    names: tuple[str, ...]
    kind: str
    help: str
    word: str  # what the value is called
    repeated: bool = False


@dataclass(frozen=True)
class Argument:
    """An argument, or with `repeated` any number of them."""

    kind: str
    word: str
    repeated: bool


@dataclass(frozen=True)
class Command:
    """A command or a group of them, by its path: "" is `embed` itself."""

    path: str
    help: str
    options: tuple[Option, ...]
    arguments: tuple[Argument, ...]
    commands: tuple["Command", ...]

    def walk(self) -> Iterator["Command"]:
        """Yield this command and all below it."""
        yield self
        for command in self.commands:
            yield from command.walk()


def read(command: Any, path: str = "") -> Command:  # noqa: ANN401  # Typer does not name its type
    """Describe a command of Typer's tree."""
    hints = get_type_hints(inspect.unwrap(command.callback)) if command.callback else {}
    options, arguments = [Option(("-h", "--help"), "", "Show help", "")], []
    for parameter in command.params:
        kind = _kind(parameter, hints[parameter.name], path)
        word = (parameter.metavar or parameter.name).strip("[].").lower()
        if parameter.param_type_name == "argument":
            arguments.append(Argument(kind, word, parameter.nargs == -1))
        else:
            names = (*parameter.opts, *parameter.secondary_opts)
            about = _sentence(parameter.help)
            options.append(Option(names, kind, about, word, parameter.multiple))
    below = getattr(command, "commands", {})
    return Command(
        path,
        _sentence((command.help or "").partition("\n\n")[0]),
        tuple(options),
        tuple(arguments),
        tuple(read(inner, f"{path} {name}".strip()) for name, inner in below.items()),
    )


def _sentence(words: str | None) -> str:
    """Return help on one line, and without a full stop; dots that leave something out stay."""
    return re.sub(r"(?<!\.)\.$", "", " ".join((words or "").split()))


def _kind(parameter: Any, hint: Any, path: str) -> str:  # noqa: ANN401  # Typer's, Python's types
    """Return what a parameter's value may be."""
    types = [hint, *get_args(hint)]
    special = {"model": PULLED if path == "rm" else MODEL, "models": MODEL}
    special |= {"prompt": PROMPT, "device": _DEVICES}
    if getattr(parameter, "is_flag", False):
        return ""
    if parameter.name in special:
        return special[parameter.name]
    for kind in types:
        if isinstance(kind, type) and issubclass(kind, Enum):
            return " ".join(str(choice.value) for choice in kind)
    if "|" in (parameter.metavar or ""):
        return str(parameter.metavar).replace("|", " ")
    return FILE if Path in types or parameter.metavar in _FILES else NONE


def names() -> list[str]:
    """Return the names of the catalogue, without tags."""
    return list(catalog.CATALOG)


def tags() -> list[str]:
    """Return the names of the catalogue with each of their tags."""
    rows = [(catalog.BUNDLED, catalog.BUNDLED_GRAPHS), *catalog.CATALOG.items()]
    names = [f"{name}:{tag}" for name, tags in rows for tag in tags if tag != "latest"]
    return list(dict.fromkeys(names))


def prompts() -> dict[str, list[str]]:
    """Return lists of prompts, one a line, with the patterns of the models that have them.

    Those with the usual pair are left out: it is what is offered for a model not known here.
    """
    repos = {repo: list(known.prompts) for repo, known in catalog.KNOWN.items()}
    bundled = local.find(parse(catalog.BUNDLED))
    assert bundled is not None, "it is part of the package"
    names = {
        name: [prompt for row in rows.values() for prompt in repos.get(row.repo, ())]
        for name, rows in catalog.CATALOG.items()
    } | {catalog.BUNDLED: list(local.spec(bundled).prompts)}
    found: dict[str, list[str]] = {}
    for ending, models in ((":*", names), ("@*", repos)):
        for name, of_model in models.items():
            words = " ".join(dict.fromkeys(of_model))
            found.setdefault(words, []).extend([name, name + ending])
    return {words: patterns for words, patterns in found.items() if words != _USUAL}


def kinds(root: Command) -> dict[str, list[str]]:
    """Return kinds of values, with the patterns `command:option` of the options that have them.

    An option that means the same in every command that has it is written once, as `*:option`.
    """
    spelled: dict[str, dict[str, str]] = {}
    for command in root.walk():
        for option in command.options:
            for name in option.names:
                spelled.setdefault(name, {})[command.path] = option.kind
    found: dict[str, list[str]] = {}
    for name, by_path in spelled.items():
        same = len(set(by_path.values())) == 1
        for path, kind in {"*": next(iter(by_path.values()))}.items() if same else by_path.items():
            if kind:
                found.setdefault(kind, []).append(f"{path}:{name}")
    return found


def spellings(command: Command) -> str:
    """Return every spelling of every option."""
    return " ".join(name for option in command.options for name in option.names)


def leaf(command: Command) -> str:
    """Return a command's own name."""
    return command.path.rpartition(" ")[2]


def last_kind(command: Command) -> str:
    """Return what a command's last arguments are; "" where it takes none."""
    return command.arguments[-1].kind if command.arguments else ""


def bash(root: Command) -> Iterator[str]:
    """Yield bash's tables: variables, and functions around `case`."""
    yield f"_embed_names='{' '.join(names())}'"
    yield f"_embed_tags='{' '.join(tags())}'"
    yield "_embed_command() {\n    case $1 in"
    for command in root.walk():
        yield f"        '{command.path}')"
        if command.commands:
            yield f"            commands='{' '.join(map(leaf, command.commands))}'"
        if command.arguments:
            yield f"            argument='{last_kind(command)}'"
        yield f"            options='{spellings(command)}'\n            ;;"
    yield "    esac\n}\n_embed_value() {\n    case $1 in"
    for kind, patterns in kinds(root).items():
        yield f"        {_cases(patterns)}) kind='{kind}' ;;"
    yield "    esac\n}"
    yield from _prompt_cases()


def _prompt_cases() -> Iterator[str]:
    yield "_embed_prompts() {\n    case $1 in"
    for found, patterns in prompts().items():
        yield f"        {_cases(patterns)})\n            echo '{found}'\n            ;;"
    yield f"        *) echo '{_USUAL}' ;;\n    esac\n}}"


def _cases(patterns: Iterable[str]) -> str:
    return " | ".join(pattern.replace(" ", "\\ ") for pattern in patterns)


def zsh(root: Command) -> Iterator[str]:
    """Yield zsh's tables: the specs of `_arguments`."""
    yield f"_embed_names=({' '.join(names())})"
    yield f"_embed_tags=({' '.join(tags())})"
    yield "_embed_command() {\n    case $1 in"
    for command in root.walk():
        yield f"        '{command.path}')\n            arguments=("
        yield from (f"                {spec}" for spec in _zsh_specs(command))
        yield "            )"
        if command.commands:
            yield "            commands=("
            for inner in command.commands:
                yield f"                {_quoted(f'{leaf(inner)}:{inner.help}')}"
            yield "            )"
        yield "            ;;"
    yield "    esac\n}"
    yield from _prompt_cases()


_ZSH_ACTIONS: Final = {
    FILE: "_files",
    MODEL: "_embed_models",
    PULLED: "_embed_pulled",
    PROMPT: "_embed_choose_prompt",
    NONE: " ",
}


def _zsh_specs(command: Command) -> Iterator[str]:
    for option in command.options:
        about = option.help.replace("[", "(").replace("]", ")").replace(":", "\\:")
        for name in option.names:
            others = "*" if option.repeated else f"({' '.join(option.names)})"
            value = "" if not option.kind else "=" if name.startswith("--") else "+"
            what = f":{option.word}:{_zsh_action(option.kind)}" if option.kind else ""
            yield _quoted(f"{others}{name}{value}[{about}]{what}")
    for number, argument in enumerate(command.arguments, 1):
        place = "*" if argument.repeated else number
        yield _quoted(f"{place}:{argument.word}:{_zsh_action(argument.kind)}")


def _zsh_action(kind: str) -> str:
    return _ZSH_ACTIONS.get(kind, f"({kind})")


def fish(root: Command) -> Iterator[str]:
    """Yield fish's tables: a `complete` for each option and argument."""
    yield f"function __embed_names\n    printf '%s\\n' {' '.join(names())}\nend"
    yield f"function __embed_tags\n    printf '%s\\n' {' '.join(tags())}\nend"
    yield "function __embed_prompts\n    switch $argv[1]"
    for found, patterns in prompts().items():
        yield f"        case {' '.join(map(_quoted, patterns))}"
        yield f"            string split -n ' ' -- '{found}'"
    yield f"        case '*'\n            string split ' ' -- '{_USUAL}'\n    end\nend"
    for command in root.walk():
        at = f"complete -c embed -n {_quoted(f'__embed_at {command.path}'.rstrip())}"
        group = at.replace("__embed_at", "__embed_group")
        for inner in command.commands:
            yield f"{group} -a {leaf(inner)} -d {_quoted(inner.help)}"
        for option in command.options:
            yield " ".join([at, *_fish_option(option)])
        if last_kind(command) not in ("", NONE):
            yield f"{at} {_fish_value(last_kind(command))}"


def _fish_option(option: Option) -> Iterator[str]:
    for name in option.names:
        yield f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
    if option.kind:
        yield _fish_value(option.kind)
    yield f"-d {_quoted(option.help)}"


def _fish_value(kind: str) -> str:
    values = {
        FILE: "-r -F",
        MODEL: "-x -a '(__embed_models)'",
        PULLED: "-x -a '(__embed_pulled)'",
        PROMPT: "-x -a '(__embed_choose_prompt)'",
        NONE: "-x",
    }
    return values.get(kind, f"-x -a '{kind}'")


def powershell(root: Command) -> Iterator[str]:
    """Yield PowerShell's tables: dictionaries, and functions around `switch`."""
    yield f"$__embed_names = -split '{' '.join(names())}'"
    yield f"$__embed_tags = -split '{' '.join(tags())}'"
    tables = {
        "options": {command.path: spellings(command) for command in root.walk()},
        "commands": {
            command.path: " ".join(map(leaf, command.commands))
            for command in root.walk()
            if command.commands
        },
        "arguments": {command.path: last_kind(command) or NONE for command in root.walk()},
    }
    for name, table in tables.items():
        yield f"$__embed_{name} = @{{"
        yield from (f"    '{path}' = '{words}'" for path, words in table.items())
        yield "}"
    yield "function __embed_value([string]$place) {\n    switch -CaseSensitive -Wildcard ($place) {"
    for kind, patterns in kinds(root).items():
        yield from (f"        '{pattern}' {{ '{kind}'; return }}" for pattern in patterns)
    yield "    }\n}"
    yield "function __embed_prompts([string]$name) {\n    switch -Wildcard ($name) {"
    for found, patterns in prompts().items():
        yield from (f"        '{pattern}' {{ -split '{found}'; return }}" for pattern in patterns)
    yield f"        default {{ -split '{_USUAL}' }}\n    }}\n}}"


def _quoted(words: str) -> str:
    """Return words in single quotes, as every shell but PowerShell reads them."""
    return "'" + words.replace("'", "'\\''") + "'"


SHELLS: Final = {"embed.bash": bash, "_embed": zsh, "embed.fish": fish, "embed.ps1": powershell}


def made(file: str) -> str:
    """Return what a file of completions/ should hold."""
    head, _, rest = (FOLDER / file).read_text("utf-8").partition(BEGIN)
    _, _, tail = rest.partition(END)
    tables = "\n".join(SHELLS[file](read(typer.main.get_command(app))))
    return f"{head}{BEGIN}{tables}\n{END}{tail}"


def difference(file: str) -> str:
    """Return how a file differs from what it should hold; "" if it does not."""
    now, then = (FOLDER / file).read_text("utf-8"), made(file)
    lines = difflib.unified_diff(now.splitlines(True), then.splitlines(True), file, "made")
    return "".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Write the tables, or show what would change."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--update", action="store_true", help="write the tables")
    mode.add_argument("--check", action="store_true", help="show what would change")
    if parser.parse_args(arguments).update:
        for file in SHELLS:
            (FOLDER / file).write_text(made(file), "utf-8")
        return 0
    changes = "".join(map(difference, SHELLS))
    print(changes, end="")
    return 1 if changes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
