"""DICOM's side of the node: what is received and refused, and how results are sent. Networking is pynetdicom's."""

from __future__ import annotations

import contextlib
import io
import itertools
import logging
import os
import re
import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable, Optional

from . import _files
from ._node_store import DOES_NOT_MATCH, NOT_UNDERSTOOD, OUT_OF_RESOURCES, Refused, Series, Store
from .errors import Error

CT = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
REPORT = "1.2.840.10008.5.1.4.1.1.88.34"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
# What the program decodes. Not the deflated one: a few bytes of it may be gigabytes.
SYNTAXES = (EXPLICIT, IMPLICIT) + tuple(
    f"1.2.840.10008.1.2.{end}"
    for end in ("4.50", "4.51", "4.57", "4.70", "4.80", "4.81", "4.90", "4.91", "5")  # JPEG, JPEG-LS, JPEG 2000, RLE
)
# Objects of ours, as io/dicom/results has it.
IMPLEMENTATION = "2.25.238805497446834785124187171850179316815"
UID = re.compile(r"[0-9]+(\.[0-9]+)*")

# Seconds without a byte after which an association is ended, and for an answer to an object that was sent.
IDLE, ANSWER, CONNECT = 60, 120, 20
# Bytes of a message (PDU). Senders are told of 16 kB, and their offers may be longer than that.
LARGEST_MESSAGE = 1_000_000
# What a destination answers: taken, taken with a remark, there already.
TAKEN = (0x0000, 0xB000, 0xB006, 0xB007, 0x0111)


def pynetdicom() -> Any:
    """The package, which is not needed for anything else."""
    try:
        import pynetdicom
    except ImportError as error:
        raise Error("pynetdicom is not installed: pip install ggpfn[node].") from error
    # Their remarks quote values, names of patients among them.
    for name in ("pydicom", "pynetdicom"):
        logging.getLogger(name).addHandler(logging.NullHandler())
        logging.getLogger(name).propagate = False
    return pynetdicom


@dataclass(frozen=True)
class Tls:
    """The files of a node that speaks TLS."""

    certificate: Optional[str] = None
    key: Optional[str] = None
    authority: Optional[str] = None  # certificates that others' have to be signed by

    def context(self, server: bool) -> ssl.SSLContext:
        """Raises Error where a file cannot be used."""
        context = _Context(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            if self.certificate:
                context.load_cert_chain(self.certificate, self.key)
            if self.authority:
                context.load_verify_locations(self.authority)
            elif not server:
                context.load_default_certs()
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(filter(None, (self.certificate, self.key, self.authority)))
            raise Error(f"{files} cannot be used for TLS: {error}.") from error
        if server and self.authority:
            context.verify_mode = ssl.CERT_REQUIRED
        return context


class _Context(ssl.SSLContext):
    """One whose handshake is the association's: pynetdicom accepts on one thread, which a silent caller would block."""

    def wrap_socket(self, sock: Any, server_side: bool = False, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        if server_side:
            options["do_handshake_on_connect"] = False
        return super().wrap_socket(sock, server_side, *arguments, **options)


@dataclass(frozen=True)
class Object:
    """An object that was looked at."""

    study: str
    series: str
    instance: str
    who: str  # names, for a log that may have them


def look_at(data: bytes, sop_class: str, instance: str, names: bool = False) -> Object:
    """Looks at a DICOM file that came as an object of this class and UID. Raises Refused for what is no CT image."""
    import pydicom

    try:
        found = pydicom.dcmread(io.BytesIO(data))
        return _looked_at(found, sop_class, instance, names)
    except Refused:
        raise
    except Exception as error:
        # Whatever pydicom makes of bytes that anybody sent.
        raise Refused(NOT_UNDERSTOOD, f"it cannot be read ({type(error).__name__})") from error


def _looked_at(found: Any, sop_class: str, instance: str, names: bool) -> Object:
    def text(name: str) -> str:
        return str(found.get(name) or "").strip(" \0")

    for name, expected in (("SOPClassUID", sop_class), ("SOPInstanceUID", instance)):
        if text(name) != expected:
            raise Refused(DOES_NOT_MATCH, f"its {name} is not the one that was announced")
    if sop_class not in CT or text("Modality") != "CT":
        raise Refused(DOES_NOT_MATCH, "it is no CT image")
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        if not text(name):
            raise Refused(DOES_NOT_MATCH, f"it has no {name}")
        if len(text(name)) > 64 or not UID.fullmatch(text(name)):
            raise Refused(DOES_NOT_MATCH, f"its {name} is no UID")
    _check_pixels(found)
    # Else they are not even decoded: an unknown character set is no reason to refuse an image.
    who = f"{text('PatientName')}, {text('PatientID')}, series {text('SeriesInstanceUID')}" if names else ""
    return Object(text("StudyInstanceUID"), text("SeriesInstanceUID"), text("SOPInstanceUID"), who)


def _check_pixels(found: Any) -> None:
    if "PixelData" not in found:
        raise Refused(DOES_NOT_MATCH, "it has no PixelData")
    number = {name: int(found.get(name) or 0) for name in ("Rows", "Columns", "BitsAllocated")}
    if min(number.values()) <= 0:
        missing = next(name for name in number if number[name] <= 0)
        raise Refused(DOES_NOT_MATCH, f"it has no {missing}")
    frames, samples = (int(found.get(name) or 1) for name in ("NumberOfFrames", "SamplesPerPixel"))
    pixels = found["PixelData"].value
    if found.file_meta.TransferSyntaxUID in (EXPLICIT, IMPLICIT):
        bits = number["Rows"] * number["Columns"] * number["BitsAllocated"] * frames * samples
        expected = (bits + 7) // 8
        if not expected <= len(pixels) <= expected + 1:
            raise Refused(NOT_UNDERSTOOD, f"PixelData has {len(pixels)} bytes in place of {expected}")
        return
    from pydicom import encaps

    fragments = [len(one) for one in encaps.generate_fragments(pixels)]
    # The first is the table of offsets.
    if len(fragments) < 1 + frames or not all(fragments[1:]):
        raise Refused(NOT_UNDERSTOOD, "PixelData lacks frames")


def as_file(sop_class: str, instance: str, syntax: str, data: bytes) -> bytes:
    """A data set as a file. The same object gives the same bytes, whatever wrote it and with whichever pynetdicom."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_file_meta_info
    from pydicom.uid import UID

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(sop_class), UID(instance)
    meta.TransferSyntaxUID, meta.ImplementationClassUID = UID(syntax), UID(IMPLEMENTATION)
    meta.ImplementationVersionName = "GGPFN"
    head = DicomBytesIO()
    head.is_little_endian, head.is_implicit_VR = True, False
    write_file_meta_info(head, meta)
    return bytes(128) + b"DICM" + head.getvalue() + data


@dataclass(frozen=True)
class Door:
    """Who is let in, and how."""

    host: str
    port: int
    title: str
    called: Optional[str]  # the title that has to be called
    allowed: Sequence[str]  # titles of those who may call; all if empty
    associations: int
    largest: int  # bytes of an object
    tls: Optional[Tls]


class Receiver:
    """Takes CT images and puts them into the store."""

    def __init__(self, door: Door, store: Store, log: Callable[[str], None], names: bool) -> None:
        package = pynetdicom()
        self.door, self.store, self.log, self.names = door, store, log, names
        self._numbers = itertools.count(1)
        self._received: dict[Any, int] = {}  # bytes of the object under way, by association
        self._lock = threading.Lock()
        self._said: set[str] = set()
        ae = package.AE(ae_title=door.called or door.title)
        ae.require_called_aet = door.called is not None
        ae.require_calling_aet = list(door.allowed)
        ae.maximum_associations = door.associations
        ae.acse_timeout, ae.dimse_timeout, ae.network_timeout = IDLE, IDLE, IDLE
        ae.add_supported_context("1.2.840.10008.1.1", [EXPLICIT, IMPLICIT])
        for sop_class in CT:
            ae.add_supported_context(sop_class, list(SYNTAXES))
        self._ae, event = ae, package.evt
        context = None if door.tls is None else door.tls.context(True)
        try:
            self._server = ae.start_server(
                (door.host, door.port),
                block=False,
                ssl_context=context,
                evt_handlers=[
                    (event.EVT_C_STORE, self._stored),
                    (event.EVT_C_ECHO, self._echoed),
                    (event.EVT_CONN_OPEN, self._opened),
                    (event.EVT_CONN_CLOSE, self._closed),
                    (event.EVT_RELEASED, self._released),
                    (event.EVT_ACCEPTED, self._accepted),
                    (event.EVT_REJECTED, self._rejected),
                    (event.EVT_DATA_RECV, self._heard),
                    (event.EVT_DIMSE_RECV, self._understood),
                ],
            )
        except (OSError, OverflowError) as error:
            raise Error(f"{door.host}, port {door.port}, cannot be listened on: {error}.") from error
        self.port = int(self._server.socket.getsockname()[1])

    def close(self) -> None:
        """Ends all associations. What was not answered is the senders' to send again."""
        for association in self._ae.active_associations:
            connection = association.dul.socket
            if association.is_acceptor and connection is not None and connection.socket is not None:
                # Else the end would wait for who has sent half a message.
                with contextlib.suppress(OSError):
                    connection.socket.shutdown(socket.SHUT_RDWR)
        self._ae.shutdown()

    def _opened(self, event: Any) -> None:
        event.assoc.ggpfn_number = next(self._numbers)
        self.store.opened(event.assoc.ggpfn_number)
        # pynetdicom reads a message of whatever length into memory before anybody hears of it.
        connection = event.assoc.dul.socket
        connection.socket.settimeout(IDLE)
        really = connection.recv

        def recv(length: int) -> Any:
            if length > LARGEST_MESSAGE:
                self.log(f"{event.address[0]}: connection closed: a message of {length} bytes was announced")
                raise ConnectionAbortedError
            return really(length)

        connection.recv = recv

    def _released(self, event: Any) -> None:
        self.store.released(event.assoc.ggpfn_number)

    def _closed(self, event: Any) -> None:
        with self._lock:
            self._received.pop(event.assoc, None)
        self.store.closed(event.assoc.ggpfn_number)

    def _accepted(self, event: Any) -> None:
        foreign = sorted({context.abstract_syntax.name for context in event.assoc.rejected_contexts})
        if foreign:
            more = f" and {len(foreign) - 3} other sorts of objects" if len(foreign) > 3 else ""
            said = f"{_caller(event)}: refused to take {', '.join(foreign[:3])}{more}"
            # Archives offer all that there is in each association: said once.
            if said not in self._said:
                self._said.add(said)
                self.log(said)

    def _rejected(self, event: Any) -> None:
        called = str(event.assoc.requestor.primitive.called_ae_title).strip()
        why = "too many associations"
        if self.door.called is not None and called != self.door.called:
            why = f"it called {_printable(called)}"
        elif self.door.allowed and _title(event) not in self.door.allowed:
            why = "its title is not allowed"
        self.log(f"{_caller(event)}: association refused: {why}")

    def _heard(self, event: Any) -> None:
        with self._lock:
            received = self._received[event.assoc] = self._received.get(event.assoc, 0) + len(event.data)
        if received > self.door.largest:
            # An answer would have to wait for the end of the object.
            self.log(
                f"{_caller(event)}: association aborted: an object has more than "
                f"{self.door.largest // 1_000_000} MB, the limit"
            )
            event.assoc.abort()

    def _understood(self, event: Any) -> None:
        with self._lock:
            self._received[event.assoc] = 0

    def _echoed(self, event: Any) -> int:
        return 0x0000

    def _stored(self, event: Any) -> Any:
        try:
            self._take(event)
            return 0x0000
        except Refused as refused:
            return self._refuse(event, refused.status, str(refused))
        except OSError as error:
            return self._refuse(event, OUT_OF_RESOURCES, f"it cannot be written ({error.strerror})")

    def _take(self, event: Any) -> None:
        request = event.request
        sop_class, instance = str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID)
        if sop_class != event.context.abstract_syntax:
            raise Refused(DOES_NOT_MATCH, "its SOP class is not the one that was agreed on")
        if request.DataSet is None:
            raise Refused(NOT_UNDERSTOOD, "it has no data set")
        data = request.DataSet.getvalue()
        try:
            file = as_file(sop_class, instance, event.context.transfer_syntax, data)
        except Exception as error:
            raise Refused(NOT_UNDERSTOOD, f"it cannot be read ({type(error).__name__})") from error
        found = look_at(file, sop_class, instance, self.names)
        self.store.add(found.study, found.series, found.instance, file, event.assoc.ggpfn_number, found.who)

    def _refuse(self, event: Any, status: int, why: str) -> Any:
        from pydicom.dataset import Dataset

        which = f" {_printable(str(event.request.AffectedSOPInstanceUID))}" if self.names else ""
        self.log(f"{_caller(event)}: object{which} refused (0x{status:04X}): {why}")
        answer = Dataset()
        answer.Status, answer.ErrorComment = status, why.encode("ascii", "replace").decode()[:64]
        return answer


@dataclass(frozen=True)
class Destination:
    """Where results are sent to."""

    title: str  # of whom is called
    host: str
    port: int
    calling: str
    tls: Optional[Tls] = None
    comments: bool = False  # whether to pass on what it says of objects, which may name patients

    def __str__(self) -> str:
        return f"{self.title}@{self.host}:{self.port}"

    def check(self) -> None:
        """Raises Error where the files for TLS cannot be used."""
        if self.tls is not None:
            self.tls.context(False)

    def open(self) -> Connection:
        """Raises Error where the destination does not take an association."""
        package = pynetdicom()
        ae = package.AE(ae_title=self.calling)
        ae.acse_timeout, ae.dimse_timeout, ae.network_timeout = CONNECT, ANSWER, ANSWER
        ae.connection_timeout = CONNECT
        for sop_class in (SEGMENTATION, REPORT):
            ae.add_requested_context(sop_class, [EXPLICIT])
            ae.add_requested_context(sop_class, [IMPLICIT])
        tls = None if self.tls is None else (self.tls.context(False), self.host)
        try:
            association = ae.associate(self.host, self.port, ae_title=self.title, tls_args=tls)
        except (OSError, RuntimeError) as error:
            raise Error(f"{self} cannot be reached: {error}.") from error
        if association.is_established:
            return Connection(self, association)
        if association.is_rejected:
            said = association.acceptor.primitive
            why = f"refused the association ({said.result_str}; {said.reason_str})".replace("\n", " ")
        else:
            why = "did not answer, or ended the connection"
        raise Error(f"{self} {why}.")


class Connection:
    """An association with the destination."""

    def __init__(self, destination: Destination, association: Any) -> None:
        self.destination, self._association = destination, association

    def send(self, path: str) -> None:
        """Sends a file. Raises Error where it was not taken, and ConnectionError where others would not be either."""
        try:
            answer = self._association.send_c_store(path)
        except ValueError as error:
            raise Error(f"{self.destination} does not take such objects.") from error
        except RuntimeError as error:
            raise ConnectionError(f"{self.destination} has ended the association.") from error
        if "Status" not in answer:
            raise ConnectionError(f"{self.destination} did not answer.")
        if answer.Status not in TAKEN:
            comment = _printable(str(answer.get("ErrorComment", ""))) if self.destination.comments else ""
            raise Error(f"{self.destination} refused it (0x{answer.Status:04X}){': ' + comment if comment else ''}.")

    def close(self) -> None:
        if self._association.is_established:
            self._association.release()
        else:
            self.abort()

    def abort(self) -> None:
        """Ends it, whatever it is waiting for."""
        self._association.abort()


def write_results(series: Series, out: str, names: Sequence[str]) -> None:
    """Copies results to STUDY/SERIES below a folder; both are UIDs that `look_at` has seen."""
    folder = os.path.join(out, series.study, series.uid)
    os.makedirs(folder, exist_ok=True)
    for name in names:
        stem, ending = os.path.splitext(name)
        last = f"{stem}-{series.revision}{ending}" if series.revision > 1 else name
        with open(os.path.join(series.results(), name), "rb") as file:
            _files.write(os.path.join(folder, last), file.read())


def _title(event: Any) -> str:
    primitive = event.assoc.requestor.primitive
    return str(primitive.calling_ae_title if primitive is not None else "").strip()


def _caller(event: Any) -> str:
    return f"{_printable(_title(event)) or '?'} at {event.assoc.requestor.address}"


def _printable(text: str) -> str:
    """What others sent, fit for one line of a log."""
    return "".join(one if one.isascii() and one.isprintable() else "?" for one in text)[:64]
