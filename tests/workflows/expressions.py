"""The part of GitHub's expressions that the workflows use; anything else is an error."""

import re

TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<name>[A-Za-z_][\w-]*)|(?P<mark>&&|\|\||==|!=|[!().,]))"
)
FUNCTIONS = {
    "startsWith": lambda context, text, start: str(text).lower().startswith(str(start).lower()),
    "success": lambda context: context["status"] == "success",
    "failure": lambda context: context["status"] == "failure",
    "always": lambda context: True,
    "cancelled": lambda context: False,
}
CONTEXTS = {"github", "needs", "steps", "inputs"}


def interpolate(text, context):
    """The text with the value of every `${{ … }}` in it."""
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: shown(evaluate(found[1], context)), text)


def shown(value):
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def evaluate(text, context):
    tokens, at = [], 0
    while text[at:].strip():
        found = TOKEN.match(text, at)
        if not found:
            raise ValueError(f"`{text[at:]}` is not understood")
        tokens.append(found[0].strip())
        at = found.end()
    value, rest = either(tokens, context)
    if rest:
        raise ValueError(f"`{' '.join(rest)}` of `{text}` is not understood")
    return value


def either(tokens, context):
    value, tokens = both(tokens, context)
    while tokens and tokens[0] == "||":
        other, tokens = both(tokens[1:], context)
        value = value or other
    return value, tokens


def both(tokens, context):
    value, tokens = comparison(tokens, context)
    while tokens and tokens[0] == "&&":
        other, tokens = comparison(tokens[1:], context)
        value = value and other
    return value, tokens


def comparison(tokens, context):
    value, tokens = operand(tokens, context)
    while tokens and tokens[0] in ("==", "!="):
        other, rest = operand(tokens[1:], context)
        # Texts are compared without regard to case.
        is_same = shown(value).lower() == shown(other).lower()
        value, tokens = is_same == (tokens[0] == "=="), rest
    return value, tokens


def operand(tokens, context):
    first, *tokens = tokens
    if first == "!":
        value, tokens = operand(tokens, context)
        return not value, tokens
    if first == "(":
        value, tokens = either(tokens, context)
        return value, expect(")", tokens)
    if first.startswith("'"):
        return first[1:-1].replace("''", "'"), tokens
    if tokens and tokens[0] == "(":
        arguments, tokens = [], tokens[1:]
        while tokens[0] != ")":
            value, tokens = either(tokens, context)
            arguments.append(value)
            if tokens[0] == ",":
                tokens = tokens[1:]
        return FUNCTIONS[first](context, *arguments), tokens[1:]
    if first not in CONTEXTS:
        raise ValueError(f"there is no `{first}`")
    value = context.get(first)
    while tokens and tokens[0] == ".":
        # What is not there is nothing.
        value = value.get(tokens[1]) if isinstance(value, dict) else None
        tokens = tokens[2:]
    return value, tokens


def expect(mark, tokens):
    if not tokens or tokens[0] != mark:
        raise ValueError(f"`{mark}` is missing")
    return tokens[1:]
