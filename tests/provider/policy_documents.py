"""When two JSON documents are the same to the provider, and how it stores one.

IAM documents are compared by the provider's own library, statement by
statement; Organizations content as plain JSON. What that library finds equal is
repeated here with its oddities, because they decide what a plan shows.
"""

import json
import re


class DocumentError(ValueError):
    """A text that the provider cannot read as JSON or as a policy."""


class DuplicateKey(ValueError):
    """A key that occurs twice in one JSON object."""


def parse(text):
    """Reads JSON as Go does: all numbers are floats, the last of two equal keys wins."""
    try:
        return json.loads(text, parse_int=float, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise DocumentError(str(error)) from error


def _refuse_constant(name):
    raise ValueError(f"invalid character '{name[0]}' looking for beginning of value")


def first_duplicate_key(text):
    """Returns a key that occurs twice in one object, or None."""

    def refuse_duplicates(pairs):
        seen = set()
        for key, _ in pairs:
            if key in seen:
                raise DuplicateKey(key)
            seen.add(key)
        return dict(pairs)

    try:
        json.loads(text, object_pairs_hook=refuse_duplicates)
    except DuplicateKey as error:
        return str(error)
    return None


# --- storing ---------------------------------------------------------------


def normalized(text):
    """Returns the document as the provider keeps it in the state: keys sorted, no space."""
    return _write(parse(text))


def normalized_version_first(text):
    """Like `normalized`, with Version in front, as inline policies are stored."""
    document = parse(text)
    if isinstance(document, dict) and document.get("Version") == "2012-10-17":
        members = [f"{_write(key)}:{_write(document[key])}" for key in sorted(document)]
        first = '"Version":"2012-10-17"'
        members.remove(first)
        return "{" + ",".join([first, *members]) + "}"
    return _write(document)


def _write(value):
    """Writes JSON as Go's encoder does."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_write(key)}:{_write(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_write, value)) + "]"
    if isinstance(value, float):
        return _number(value)
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str):
        for character in "<>&\u2028\u2029":
            text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _number(value):
    if value == 0 or 1e-6 <= abs(value) < 1e21:
        return f"{int(value)}" if value.is_integer() else _plain_decimal(value)
    mantissa, exponent = repr(value).split("e") if "e" in repr(value) else (repr(value), "0")
    return f"{mantissa.removesuffix('.0')}e{int(exponent):+03d}".replace("e-0", "e-")


def _plain_decimal(value):
    from decimal import Decimal

    return format(Decimal(repr(value)), "f")


# --- comparing -------------------------------------------------------------


def same_json(one, other):
    """Tells whether two texts are the same JSON: order of keys and space do not count."""
    try:
        return _strictly_equal(parse(one), parse(other))
    except DocumentError:
        return False


def _strictly_equal(one, other):
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(
            _strictly_equal(value, other[key]) for key, value in one.items()
        )
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_strictly_equal, one, other))
    return one == other


def suppresses_difference(one, other):
    """Tells whether the provider shows no difference between two IAM documents."""
    if one.strip() in ("", "{}") and other.strip() in ("", "{}"):
        return True
    try:
        return are_equivalent(one, other)
    except DocumentError:
        return False


def are_equivalent(one, other):
    """Compares two IAM documents; raises DocumentError if one cannot be read."""
    left, right = _document(one), _document(other)
    if _strictly_equal(left, right):
        return True
    left_statements, right_statements = _statements(left), _statements(right)
    return (
        left["Version"] == right["Version"]
        and left["Id"] == right["Id"]
        and len(left_statements) == len(right_statements)
        and _each_has_an_equal(left_statements, right_statements)
        and _each_has_an_equal(right_statements, left_statements)
    )


def _each_has_an_equal(statements, others):
    return all(any(_same_statement(ours, theirs) for theirs in others) for ours in statements)


def _document(text):
    text = text.strip()
    if text.startswith("["):
        # Only a list of one document, or an empty one, becomes readable so.
        text = text.removesuffix("]").removeprefix("[").strip() or "{}"
    document = parse(text)
    if not isinstance(document, dict):
        raise DocumentError("a policy is a JSON object")
    return {
        "Version": _text(_member(document, "Version")),
        "Id": _text(_member(document, "Id")),
        "Statement": _member(document, "Statement"),
    }


def _statements(document):
    statements = document["Statement"]
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list):
        raise DocumentError("Statement is neither an object nor a list")
    return [_statement(statement) for statement in statements]


def _statement(statement):
    if not isinstance(statement, dict):
        raise DocumentError("a statement is a JSON object")
    conditions = _member(statement, "Condition")
    if conditions is not None:
        if not isinstance(conditions, dict):
            raise DocumentError("Condition is a JSON object")
        for operands in conditions.values():
            if operands is not None and not isinstance(operands, dict):
                raise DocumentError("a condition operator holds a JSON object")
    members = {
        name: _member(statement, name)
        for name in (
            "Action",
            "NotAction",
            "Resource",
            "NotResource",
            "Principal",
            "NotPrincipal",
        )
    }
    return {
        "Sid": _text(_member(statement, "Sid")),
        "Effect": _text(_member(statement, "Effect")),
        "Condition": conditions,
        **members,
    }


def _member(table, name):
    """Looks an element up by its name, else by its name in any case."""
    if name in table:
        return table[name]
    return next((value for key, value in table.items() if key.lower() == name.lower()), None)


def _text(value):
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DocumentError("a text is expected")
    return value


def _same_statement(ours, theirs):
    if ours["Sid"] != theirs["Sid"] or ours["Effect"].lower() != theirs["Effect"].lower():
        return False
    for name in ("Action", "NotAction", "Resource", "NotResource"):
        if not _same_list(_strings(ours[name]), _strings(theirs[name])):
            return False
    if not _same_conditions(ours["Condition"], theirs["Condition"]):
        return False
    return all(
        _same_principals(ours[name], theirs[name]) for name in ("Principal", "NotPrincipal")
    )


def _strings(value):
    """Returns the values of an element as texts, or None if one is no scalar."""
    if value is None:
        return []
    values = value if isinstance(value, list) else [value]
    texts = [_scalar(item) for item in values]
    return None if None in texts else texts


def _scalar(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else _plain_decimal(value)
    return value if isinstance(value, str) else None


def _same_list(ours, theirs):
    """Order does not count, a value written twice does."""
    if ours is None or theirs is None:
        return ours is theirs
    return sorted(ours) == sorted(theirs)


def _same_set(ours, theirs):
    """Order does not count; which value is written twice does not either, only how many."""
    if ours is None or theirs is None:
        return False
    return len(ours) == len(theirs) and set(ours) == set(theirs)


def _same_conditions(ours, theirs):
    if (ours is None) != (theirs is None):
        return False
    if ours is None:
        return True
    if ours.keys() != theirs.keys():
        return False
    for operator, operands in ours.items():
        operands, other_operands = operands or {}, theirs[operator] or {}
        if operands.keys() != other_operands.keys():
            return False
        for key, values in operands.items():
            if not _same_set(_strings(values), _strings(other_operands[key])):
                return False
    return True


def _same_principals(ours, theirs):
    if ours is None and theirs is None:
        return True
    return _same_principal_text(ours, theirs) or _same_principal_table(ours, theirs)


def _same_principal_table(ours, theirs):
    """Compares by kind of principal; anything but a table counts as an empty table.

    So the provider sees no difference between two bare principals, `"*"` and
    another, nor between `"*"` and none.
    """
    ours, theirs = _principal_table(ours), _principal_table(theirs)
    return ours.keys() == theirs.keys() and all(
        len(principals) == len(theirs[kind])
        and _each_is_among(principals, theirs[kind])
        and _each_is_among(theirs[kind], principals)
        for kind, principals in ours.items()
    )


def _principal_table(principal):
    if not isinstance(principal, dict):
        return {}
    table = {kind: _strings(values) for kind, values in principal.items()}
    return {kind: values for kind, values in table.items() if values}


def _each_is_among(principals, others):
    return all(any(_same_principal_text(ours, theirs) for theirs in others) for ours in principals)


def _same_principal_text(ours, theirs):
    if not isinstance(ours, str) or not isinstance(theirs, str):
        return False
    return ours == theirs or _is_root_of(ours, theirs) or _is_root_of(theirs, ours)


def _is_root_of(account, principal):
    """Tells whether a principal is the root user of a bare account number."""
    if not re.fullmatch(r"[0-9]{12}", account):
        return False
    parts = principal.split(":", 5)
    return (
        len(parts) == 6
        and parts[0] == "arn"
        and (parts[2], parts[4], parts[5]) == ("iam", account, "root")
    )
