"""The emulator without what costs a suite most of its time; its answers stay the same.

* botocore's files are read once for a process, not for each session. The clients of a session
  share what was read, so that all sessions may. botocore, moto and the survey complete a model in
  place, each by extras of its own, so each has a model of its own. botocore completes endpoints in
  place, too: what must be as in the file is read by `LOAD_DATA`.
* The clients of one model share its shapes, their methods and the names of events.
* All clients share one TLS context; no emulator of a test has TLS.
* Whether a handler of an event takes keywords is seen in its code, not by its signature.
* A long answer of EC2, such as the list of all endpoint services, is parsed once.
* Python's collector of cycles runs seldom, and leaves out what is there before the first test.
* moto is quicker, as the embedded emulator has it.
"""

import gc
import pickle
from functools import cache
from inspect import CO_VARKEYWORDS
from typing import Any

from botocore import hooks, httpsession, useragent
from botocore.client import ClientCreator
from botocore.hooks import EventAliaser
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import EC2QueryParser
from botocore.utils import EVENT_ALIASES

from posture_cli.embedded.quick_moto import quicken_moto

_LIST_SERVICES = Loader.list_available_services
LOAD_DATA = Loader.load_data_with_path
LOAD_MODEL = Loader.load_service_model
_CREATE_METHODS = ClientCreator._create_methods  # type: ignore[attr-defined]
_PARSE = EC2QueryParser._do_parse  # type: ignore[attr-defined]
_ALIAS = EventAliaser._alias_event_name  # type: ignore[attr-defined]
_ACCEPTS = hooks.accepts_kwargs
_SANITIZE = useragent.sanitize_user_agent_string_component
LONG = 20_000  # bytes of an answer

_read: dict[tuple[object, ...], Any] = {}
_models: dict[int, tuple[Any, ServiceModel]] = {}
_methods: dict[ServiceModel, dict[str, Any]] = {}
_parsed: dict[tuple[object, ...], bytes] = {}
_aliases: dict[str, Any] = {}


def quicken() -> None:
    """Patch botocore's and moto's classes."""
    quicken_moto()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)
    replacements: list[tuple[Any, str, Any]] = [
        (Loader, "load_data_with_path", _load_data),
        (Loader, "load_service_model", _load_model),
        (Loader, "list_available_services", _list_services),
        (ClientCreator, "_load_service_model", _share_model),
        (ClientCreator, "_create_methods", _share_methods),
        (EventAliaser, "_alias_event_name", _alias),
        (EC2QueryParser, "_do_parse", _parse),
        (hooks, "accepts_kwargs", _accepts_keywords),
        (httpsession, "create_urllib3_context", cache(httpsession.create_urllib3_context)),
        (useragent, "sanitize_user_agent_string_component", cache(_SANITIZE)),
    ]
    for owner, name, replacement in replacements:
        setattr(owner, name, replacement)


def _list_services(loader: Loader, type_name: str) -> Any:
    return _read_once(_LIST_SERVICES, loader, type_name)


def _load_model(
    loader: Loader, service_name: str, type_name: str, api_version: str | None = None
) -> Any:
    return _read_once(LOAD_MODEL, loader, service_name, type_name, api_version)


def _load_data(loader: Loader, name: str) -> Any:
    of_service = "/" in name  # a part of what `_load_model` completes and keeps
    return LOAD_DATA(loader, name) if of_service else _read_once(LOAD_DATA, loader, name)


def _read_once(read: Any, loader: Loader, *named: str | None) -> Any:
    key = (read, type(loader), *loader.search_paths, *loader.extras_types, *named)
    if key not in _read:
        _read[key] = read(loader, *named)
    return _read[key]


def _share_model(creator: Any, service_name: str, api_version: str | None = None) -> ServiceModel:
    read = creator._loader.load_service_model(service_name, "service-2", api_version=api_version)
    if id(read) not in _models:  # and it is kept, so that no other has its id
        _models[id(read)] = read, ServiceModel(read, service_name=service_name)
    return _models[id(read)][1]


def _share_methods(creator: Any, model: ServiceModel) -> dict[str, Any]:
    if model not in _methods:
        _methods[model] = _CREATE_METHODS(creator, model)
    return dict(_methods[model])


def _alias(aliaser: Any, name: str) -> Any:
    if aliaser._event_aliases != EVENT_ALIASES:
        return _ALIAS(aliaser, name)
    if name not in _aliases:
        _aliases[name] = _ALIAS(aliaser, name)
    return _aliases[name]


def _accepts_keywords(handler: Any) -> bool:
    code = getattr(handler, "__code__", None)
    return bool(code.co_flags & CO_VARKEYWORDS if code else _ACCEPTS(handler))


def _parse(parser: Any, response: Any, shape: Any) -> Any:
    if len(response["body"]) < LONG:
        return _PARSE(parser, response, shape)
    key = shape.name, parser._timestamp_parser, response["body"]
    if key not in _parsed:
        _parsed[key] = pickle.dumps(_PARSE(parser, response, shape))
    return pickle.loads(_parsed[key])  # noqa: S301 - pickled above
