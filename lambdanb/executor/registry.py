"""The registry: functions, their published versions and aliases, on disk in the home; as AWS keeps them.

`$LATEST` is what was deployed last. `publish` freezes it under the next number. An alias names a version, or splits
between two by weight. Numbers are never used again, not even after a function was deleted and made anew.

Concurrency set aside for functions, and the account's settings, are in `concurrency`, on the same database.

Errors are AWS's own, with its texts, from `lambdanb.model.errors`; names and values of a configuration have been
checked (`lambdanb.model.validation`) before they come here.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html
https://docs.aws.amazon.com/lambda/latest/dg/configuration-aliases.html
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from lambdanb.executor.versions import Alias, FunctionVersion, check_alias, check_weights, content, timestamp
from lambdanb.model.configuration import Configuration
from lambdanb.model.database import open_database, writing
from lambdanb.model.errors import (
    InvalidParameterValueException,
    PreconditionFailedException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from lambdanb.model.names import LATEST, function_arn, is_version

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE versions (
    function TEXT NOT NULL,
    number INTEGER NOT NULL, -- 0 is $LATEST
    configuration TEXT NOT NULL,
    description TEXT NOT NULL,
    code_sha256 TEXT NOT NULL,
    code_bytes INTEGER NOT NULL,
    imports TEXT NOT NULL,
    triggers TEXT NOT NULL,
    revision_id TEXT NOT NULL,
    last_modified TEXT NOT NULL,
    PRIMARY KEY (function, number)
);
CREATE TABLE aliases (
    function TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    weights TEXT NOT NULL,
    description TEXT NOT NULL,
    revision_id TEXT NOT NULL,
    PRIMARY KEY (function, name)
);
CREATE TABLE last_numbers (function TEXT PRIMARY KEY, number INTEGER NOT NULL);
CREATE TABLE reserved_concurrency (function TEXT PRIMARY KEY, executions INTEGER NOT NULL);
CREATE TABLE provisioned_concurrency (
    function TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    executions INTEGER NOT NULL,
    last_modified TEXT NOT NULL,
    PRIMARY KEY (function, qualifier)
);
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)
"""
_VERSION_COLUMNS = (
    "function, number, configuration, description, code_sha256, code_bytes, imports, triggers, revision_id, "
    "last_modified"
)


class Registry:
    """The functions of a home. The executor is the only process that writes them; what it reads is kept in memory.

    Methods that write raise StoreUnusable when the disk won't take it, and have then changed nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection = open_database(path, _SCHEMA, SCHEMA_VERSION)
        self._versions: dict[tuple[str, str], FunctionVersion] = {}
        self._aliases: dict[tuple[str, str], Alias] = {}

    def close(self) -> None:
        self.connection.close()

    def writing(self) -> AbstractContextManager[None]:
        """A transaction on the database; what was read before it is forgotten."""
        self._versions.clear()
        self._aliases.clear()
        return writing(self.connection, self.path)

    # Functions and versions

    def put_function(
        self,
        configuration: Configuration,
        code_sha256: str,
        *,
        code_bytes: int = 0,
        imports: Sequence[str] = (),
        triggers: Sequence[Any] = (),
        new: bool = False,
        revision_id: str | None = None,
    ) -> FunctionVersion:
        """Make a function, or change its `$LATEST`. Returns it; where nothing differs it is left as it was.

        `new` refuses a name that is taken (AWS's CreateFunction); `revision_id`, when given, must be the current one.
        Raises ResourceConflictException, PreconditionFailedException.
        """
        name = configuration.function_name
        current = self._find(name, LATEST)
        if new:
            self.check_free(name)
        if revision_id is not None:
            if current is None:
                raise _not_found(name, None)
            _check_revision(current.revision_id, revision_id)
        wanted = FunctionVersion(
            configuration,
            LATEST,
            configuration.description,
            code_sha256,
            code_bytes,
            tuple(imports),
            tuple(triggers),
            str(uuid.uuid4()),
            timestamp(),
        )
        if current is not None and content(current) == content(wanted) and current.triggers == wanted.triggers:
            return current
        self._store(wanted)
        return self.get(name)

    def check_free(self, name: str) -> None:
        """Raises ResourceConflictException where there is a function of this name."""
        if self._find(name, LATEST) is not None:
            raise ResourceConflictException(f"Function already exist: {name}", "Choose another name, or delete it.")

    def get(self, name: str, qualifier: str | None = None) -> FunctionVersion:
        """The version that a qualifier names; an alias gives its main version. Raises ResourceNotFoundException."""
        wanted = qualifier or LATEST
        if not is_version(wanted):
            alias = self._find_alias(name, wanted)
            if alias is None:
                raise _not_found(name, qualifier)
            wanted = alias.version
        found = self._find(name, wanted)
        if found is None:
            raise _not_found(name, qualifier)
        return found

    def resolve(self, name: str, qualifier: str | None = None, *, draw: float | None = None) -> FunctionVersion:
        """The version that an invocation runs: an alias's weights decide by `draw` in [0, 1), random when None."""
        if qualifier is not None and not is_version(qualifier):
            alias = self._find_alias(name, qualifier)
            if alias is None:
                raise _not_found(name, qualifier)
            for version, weight in alias.weights.items():
                if (random.random() if draw is None else draw) < weight:
                    return self.get(name, version)
            return self.get(name, alias.version)
        return self.get(name, qualifier)

    def functions(self) -> list[FunctionVersion]:
        """The `$LATEST` of every function, by name."""
        return self._select("number = 0 ORDER BY function")

    def versions(self, name: str) -> list[FunctionVersion]:
        """`$LATEST` and the published versions of a function, by number. Raises ResourceNotFoundException."""
        found = self._select("function = ? ORDER BY number", name)
        if not found:
            raise _not_found(name, None)
        return found

    def code_in_use(self) -> set[str]:
        """The code of all versions, for the code store's `prune`; where there are layers, theirs and the function's own
        too, which are laid over each other again when one of them changes."""
        used = {row[0] for row in self.connection.execute("SELECT DISTINCT code_sha256 FROM versions")}
        layered = "SELECT configuration FROM versions WHERE json_extract(configuration, '$.recorded.OwnCode') NOT NULL"
        for (configuration,) in self.connection.execute(layered):
            recorded = json.loads(configuration)["recorded"]
            used |= {recorded["OwnCode"], *(layer["Content"] for layer in recorded["Layers"])}
        return used

    def publish(
        self, name: str, description: str = "", *, code_sha256: str | None = None, revision_id: str | None = None
    ) -> FunctionVersion:
        """Freeze `$LATEST` under the next number; where nothing changed since the last one, that one is returned.

        `code_sha256` and `revision_id`, when given, must be those of `$LATEST`. Raises ResourceNotFoundException,
        InvalidParameterValueException, PreconditionFailedException.
        """
        latest = self.get(name)
        if code_sha256 is not None and code_sha256 != latest.code_sha256:
            raise InvalidParameterValueException(
                f"CodeSHA256 ({code_sha256}) is different from current CodeSHA256 in $LATEST ({latest.code_sha256}). "
                "Please try again with the CodeSHA256 in $LATEST."
            )
        if revision_id is not None:
            _check_revision(latest.revision_id, revision_id)
        row = self.connection.execute("SELECT number FROM last_numbers WHERE function = ?", [name]).fetchone()
        last_number = row[0] if row else 0
        last = self._find(name, str(last_number)) if last_number else None
        if last is not None and content(last) == content(latest):
            return last
        number = last_number + 1
        published = FunctionVersion(
            latest.configuration,
            str(number),
            description or latest.description,
            latest.code_sha256,
            latest.code_bytes,
            latest.imports,
            latest.triggers,
            str(uuid.uuid4()),
            timestamp(),
        )
        self._store(published, last_number=number)
        return self.get(name, published.version)

    def delete(self, name: str, qualifier: str | None = None) -> None:
        """Delete a function with all of its versions, aliases and concurrency, or one published version.

        Raises ResourceNotFoundException, ResourceConflictException (an alias uses the version),
        InvalidParameterValueException (`$LATEST` or an alias as qualifier).
        """
        if qualifier is None:
            self.get(name)
            with self.writing():
                for table in ("versions", "aliases", "reserved_concurrency", "provisioned_concurrency"):
                    self.connection.execute(f"DELETE FROM {table} WHERE function = ?", [name])
            return
        if qualifier == LATEST:
            raise InvalidParameterValueException("$LATEST version cannot be deleted without deleting the function.")
        if not is_version(qualifier):
            raise InvalidParameterValueException("Deletion of aliases is not currently supported.")
        self.get(name, qualifier)
        users = [alias.name for alias in self.aliases(name) if qualifier in (alias.version, *alias.weights)]
        if users:
            raise ResourceConflictException(
                f"Unable to delete version because the following aliases reference it: [{', '.join(users)}]",
                "Point them at another version, or delete them, first.",
            )
        with self.writing():
            self.connection.execute("DELETE FROM versions WHERE function = ? AND number = ?", [name, int(qualifier)])
            self.connection.execute(
                "DELETE FROM provisioned_concurrency WHERE function = ? AND qualifier = ?", [name, qualifier]
            )

    # Aliases

    def put_alias(
        self,
        name: str,
        alias: str,
        version: str,
        *,
        weights: Mapping[str, float] | None = None,
        description: str = "",
        new: bool = False,
        revision_id: str | None = None,
    ) -> Alias:
        """Make or change an alias. `weights` gives one additional version its share (0 to 1) of the invocations.

        `new` refuses a name that is taken (AWS's CreateAlias). Raises ResourceNotFoundException,
        ResourceConflictException, ValidationException, InvalidParameterValueException, PreconditionFailedException.
        """
        weights = dict(weights or {})
        self._check_alias(name, alias, version, weights)
        current = self._find_alias(name, alias)
        if current is not None and new:
            raise ResourceConflictException(
                f"Alias already exists: {current.arn}", "Choose another name, or delete it."
            )
        if revision_id is not None:
            if current is None:
                raise _no_alias(name, alias)
            _check_revision(current.revision_id, revision_id)
        with self.writing():
            self.connection.execute(
                "INSERT OR REPLACE INTO aliases (function, name, version, weights, description, revision_id) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                [name, alias, version, json.dumps(weights), description, str(uuid.uuid4())],
            )
        return self.alias(name, alias)

    def alias(self, name: str, alias: str) -> Alias:
        """Raises ResourceNotFoundException."""
        found = self._find_alias(name, alias)
        if found is None:
            raise _no_alias(name, alias)
        return found

    def aliases(self, name: str, version: str | None = None) -> list[Alias]:
        """The aliases of a function by name, or those whose main version is `version`."""
        self.get(name)
        rows = self.connection.execute("SELECT name FROM aliases WHERE function = ? ORDER BY name", [name]).fetchall()
        found = [self.alias(name, row[0]) for row in rows]
        return [alias for alias in found if version in (None, alias.version)]

    def delete_alias(self, name: str, alias: str) -> None:
        """Nothing happens where there is no such alias, as on AWS. Its provisioned concurrency goes with it."""
        self.get(name)
        with self.writing():
            self.connection.execute("DELETE FROM aliases WHERE function = ? AND name = ?", [name, alias])
            self.connection.execute(
                "DELETE FROM provisioned_concurrency WHERE function = ? AND qualifier = ?", [name, alias]
            )

    def _check_alias(self, name: str, alias: str, version: str, weights: Mapping[str, float]) -> None:
        check_alias(alias, version)
        self.get(name, version)
        has_provisioned = self.connection.execute(
            "SELECT 1 FROM provisioned_concurrency WHERE function = ? AND qualifier = ?", [name, alias]
        ).fetchone()
        if version == LATEST and has_provisioned:
            raise InvalidParameterValueException(
                "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
            )
        for additional in check_weights(version, weights):
            self.get(name, additional)

    # Rows

    def _find(self, name: str, version: str) -> FunctionVersion | None:
        found = self._versions.get((name, version))
        if found is None:
            number = 0 if version == LATEST else int(version)
            if (number == 0 and version != LATEST) or number >= 2**63:
                return None  # "0" is no version; a longer number is none that SQLite could hold
            rows = self._select("function = ? AND number = ?", name, number)
            if not rows or rows[0].version != version:
                return None
            found = self._versions[name, version] = rows[0]
        return found

    def _find_alias(self, name: str, alias: str) -> Alias | None:
        found = self._aliases.get((name, alias))
        if found is None:
            row = self.connection.execute(
                "SELECT function, name, version, weights, description, revision_id FROM aliases "
                "WHERE function = ? AND name = ?",
                [name, alias],
            ).fetchone()
            if row is None:
                return None
            found = self._aliases[name, alias] = Alias(row[0], row[1], row[2], json.loads(row[3]), row[4], row[5])
        return found

    def _select(self, where: str, *parameters: object) -> list[FunctionVersion]:
        rows = self.connection.execute(f"SELECT {_VERSION_COLUMNS} FROM versions WHERE {where}", parameters)
        return [
            FunctionVersion(
                Configuration.from_json(json.loads(configuration)),
                str(number) if number else LATEST,
                description,
                code_sha256,
                code_bytes,
                tuple(json.loads(imports)),
                tuple(json.loads(triggers)),
                revision_id,
                last_modified,
            )
            for (
                _,
                number,
                configuration,
                description,
                code_sha256,
                code_bytes,
                imports,
                triggers,
                revision_id,
                last_modified,
            ) in rows
        ]

    def _store(self, version: FunctionVersion, *, last_number: int | None = None) -> None:
        with self.writing():
            self.connection.execute(
                f"INSERT OR REPLACE INTO versions ({_VERSION_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    version.function,
                    0 if version.version == LATEST else int(version.version),
                    json.dumps(version.configuration.to_json()),
                    version.description,
                    version.code_sha256,
                    version.code_bytes,
                    json.dumps(version.imports),
                    json.dumps(version.triggers),
                    version.revision_id,
                    version.last_modified,
                ],
            )
            if last_number is not None:
                self.connection.execute(
                    "INSERT OR REPLACE INTO last_numbers VALUES (?, ?)", [version.function, last_number]
                )


def _check_revision(current: str, given: str) -> None:
    if current != given:
        raise PreconditionFailedException(
            "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to "
            "retrieve the latest Revision Id"
        )


def _not_found(name: str, qualifier: str | None) -> ResourceNotFoundException:
    return ResourceNotFoundException(f"Function not found: {function_arn(name, qualifier)}")


def _no_alias(name: str, alias: str) -> ResourceNotFoundException:
    return ResourceNotFoundException(f"Cannot find alias arn: {function_arn(name, alias)}")
