"""What all resource types share: the rules of the provider's old SDK.

A resource type is a class that says what it has (defaults, arguments that force
a new resource, documents, validators) and how it is read and written through
the API. How a configuration and a state become a plan is decided here, once:
an absent argument and a zero value are the same, a computed argument that is
not configured keeps its value, an equivalent document is no change, and a
change that amounts to nothing in the end is none.
"""

import time

from api import ApiError
from values import UNKNOWN, are_equivalent, is_wholly_known, is_zero


class Refused(Exception):
    """An error that the provider reports to the user."""

    def __init__(self, summary, detail=""):
        super().__init__(summary)
        self.summary, self.detail = summary, detail


class Provider:
    """What a configured provider knows."""

    def __init__(self, client, default_tags=None, retry_seconds=20):
        self.client = client
        self.default_tags = default_tags or {}
        self.retry_seconds = retry_seconds


class Resource:
    """One resource type. Subclasses override the attributes and the last five methods."""

    type_name = ""
    #: Argument -> value that an absent argument has.
    defaults = {}
    #: Arguments whose change destroys the resource and creates it anew.
    force_new = frozenset()
    #: Argument -> function that tells whether two texts are no difference.
    suppressed = {}
    #: Those of them of which a refresh takes AWS's text, though it is no difference.
    suppressed_in_plans_only = frozenset()
    #: Argument -> function that turns a configured text into what the state holds.
    state_form = {}
    #: Argument -> validators.
    validators = {}
    #: Pairs of arguments of which only one may be set.
    conflicts = ()
    has_tags = False
    #: Whether Terraform is to forgive what only the old SDK may do.
    of_the_old_sdk = True

    def __init__(self, block):
        self.attributes = block["attributes"]
        self.blocks = block["block_types"]

    # --- configuration -----------------------------------------------------

    def validate(self, config):
        """Yields argument name, summary and detail of each error."""
        for name, attribute in self.attributes.items():
            if config.get(name) is None:
                continue
            if name == "id":
                yield name, "Invalid or unknown key", ""
            elif not (attribute.get("required") or attribute.get("optional")):
                yield name, "Value for unconfigurable attribute", (
                    f'Can\'t configure a value for "{name}": its value will be decided '
                    "automatically based on the result of applying this configuration."
                )
        for one, other in self.conflicts:
            if config.get(one) is not None and config.get(other) is not None:
                yield one, "Conflicting configuration arguments", (
                    f'"{one}": conflicts with {other}'
                )
        for name, validators in self.validators.items():
            value = config.get(name)
            if value is None or not is_wholly_known(value):
                continue
            problems = (validator(name, value) for validator in validators)
            problem = next(filter(None, problems), None)
            if problem:
                yield name, problem, ""

    # --- plan --------------------------------------------------------------

    def plan(self, provider, prior, config):
        """Returns the planned state and the arguments that force a new resource."""
        planned, replaced_by = {}, []
        for name, attribute in self.attributes.items():
            if name in ("tags", "tags_all"):
                continue
            target = self._target(name, attribute, prior, config)
            planned[name] = target
            if prior is None:
                continue
            planned[name] = self._kept_or_changed(name, prior[name], target)
            if name in self.force_new and not are_equivalent(prior[name], planned[name]):
                replaced_by.append(name)
        for name, nested in self.blocks.items():
            if nested["nesting_mode"] == "single":
                planned[name] = config.get(name)
                continue
            planned[name] = self.plan_block(name, prior, config)
            if prior is None or name not in self.force_new:
                continue
            if not are_equivalent(prior[name], planned[name]):
                replaced_by.append(name)
        if self.has_tags:
            self._plan_tags(provider, planned, prior, config)
        if prior is not None and not self._differs(prior, planned):
            return prior, []
        return planned, replaced_by

    def _differs(self, prior, planned):
        """Tells whether a plan has a change; other timeouts alone are none.

        A text that is absent or empty is the same, but not a number or a bool: one that an
        importer left out is set to its zero value.
        """
        for name, value in planned.items():
            if name in self.blocks and self.blocks[name]["nesting_mode"] == "single":
                continue
            if not are_equivalent(prior[name], value) or prior[name] is None and value in (False, 0):
                return True
        return False

    def _target(self, name, attribute, prior, config):
        """Returns what the configuration asks an argument to be."""
        configured = config.get(name)
        if not (attribute.get("required") or attribute.get("optional")):
            return UNKNOWN if prior is None else prior[name]
        if configured is not None:
            if configured is not UNKNOWN and name in self.state_form:
                return self.state_form[name](configured)
            return configured
        if name in self.defaults:
            return self.defaults[name]
        if attribute.get("computed"):
            return UNKNOWN if prior is None else prior[name]
        return None

    def _kept_or_changed(self, name, old, new):
        if old is UNKNOWN or new is UNKNOWN:
            return new
        if new is None and is_zero(old) and isinstance(old, (str, list, dict)):
            return old
        if name in self.suppressed and self.suppressed[name](old or "", new or ""):
            return old
        return new

    def _plan_tags(self, provider, planned, prior, config):
        tags = config.get("tags")
        if isinstance(tags, dict):
            tags = {key: value for key, value in tags.items() if value is not None}
        if prior is not None and is_zero(tags) and is_zero(prior["tags"]):
            tags = prior["tags"]
        planned["tags"] = tags
        old = prior["tags_all"] if prior else None
        if not is_wholly_known(tags):
            planned["tags_all"] = UNKNOWN
            return
        wanted = {**provider.default_tags, **(tags or {})}
        if wanted:
            planned["tags_all"] = wanted
        elif prior is None or old:
            planned["tags_all"] = UNKNOWN
        else:
            planned["tags_all"] = old

    def plan_block(self, name, prior, config):
        """Returns what a nested block is planned to be."""
        return config.get(name) or (prior[name] if prior else [])

    # --- state -------------------------------------------------------------

    def refreshed(self, provider, state):
        """Returns the state as AWS has it now, or None if the object is gone."""
        read = self.read(provider, state)
        if read is None:
            return None
        result = dict(state)
        for name, value in read.items():
            old = state.get(name)
            if value is None and old == "":
                continue
            if name in self.suppressed and name not in self.suppressed_in_plans_only:
                if old and self.suppressed[name](old, value or ""):
                    continue
            result[name] = value
        return result

    def set_tags(self, provider, state, tags):
        """Adds the tags of an API answer to a state, without those of AWS itself."""
        everything = {
            tag["Key"]: tag["Value"] or ""
            for tag in tags or []
            if not tag["Key"].startswith("aws:")
        }
        state["tags_all"] = everything
        state["tags"] = {
            key: value
            for key, value in everything.items()
            if provider.default_tags.get(key) != value
        }

    # --- what a resource type does -----------------------------------------

    def import_state(self, provider, import_id):
        """Returns the attributes that follow from an import ID."""
        return {"id": import_id}

    def read(self, provider, state):
        raise NotImplementedError

    def create(self, provider, planned):
        """Creates the object; returns its ID, if the type has one."""
        raise NotImplementedError

    def update(self, provider, prior, planned):
        """Writes what differs between the two states; returns the ID if it is another now."""

    def delete(self, provider, state):
        raise NotImplementedError


def changed(prior, planned, *names):
    return any(not are_equivalent(prior[name], planned[name]) for name in names)


def api_tags(tags):
    """Returns tags as the API takes them, or None for none."""
    return [{"Key": key, "Value": value} for key, value in sorted((tags or {}).items())] or None


def tags_to_write(provider, planned):
    return {**provider.default_tags, **(planned.get("tags") or {})}


def tag_changes(provider, prior, planned):
    """Returns the keys to remove and the tags to set."""
    old, new = prior["tags_all"] or {}, tags_to_write(provider, planned)
    removed = sorted(set(old) - set(new))
    return removed, {key: value for key, value in new.items() if old.get(key) != value}


def generated_name(planned):
    """Returns the configured name, or one that starts with the configured prefix."""
    if planned.get("name") not in (None, "", UNKNOWN):
        return planned["name"]
    prefix = planned.get("name_prefix")
    prefix = prefix if prefix not in (None, "", UNKNOWN) else "terraform-"
    return f"{prefix}{time.time_ns():026d}"


def prefix_of(name):
    """Returns the prefix of a generated name, empty for any other name."""
    end = name[-26:]
    return name[:-26] if len(name) > 26 and len(end) == 26 and end.isdigit() else ""


def ignoring(codes, call, operation, **parameters):
    """Calls an operation and takes the given error codes for success."""
    try:
        return call(operation, **parameters)
    except ApiError as error:
        if error.code not in codes:
            raise
        return None


def retrying(seconds, codes, call, operation, **parameters):
    """Calls an operation again while it answers one of the given error codes."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return call(operation, **parameters)
        except ApiError as error:
            if error.code not in codes or time.monotonic() > deadline:
                raise
            time.sleep(0.2)
