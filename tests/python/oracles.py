"""Images written and read by nibabel and SimpleITK, for comparison with ggpfn's own readers and writers.

    python oracles.py write FOLDER [ODD]    writes images, and what is in them as FOLDER/manifest.json; the volumes under
                                            ODD that nibabel understands are added to it
    python oracles.py check FOLDER          reads what FOLDER/written.json lists and compares

A manifest has one entry per image: `path`, `size` (i, j, k), `affine` (index to LPS in mm, three rows of four) and
`voxels` (a file of float32, i fastest), or `path` and `refused`, a word that the refusal must hold.
"""

import bz2
import gzip
import itertools
import json
import pathlib
import struct
import sys
import zlib

import nibabel
import nibabel.nifti2
import numpy as np
import SimpleITK as sitk

NUMBERS = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def rotation(x, y, z):
    """Three turns, in radians."""
    (a, b, c), (p, q, r) = np.cos([x, y, z]), np.sin([x, y, z])
    turns = [[[1, 0, 0], [0, a, -p], [0, p, a]], [[b, 0, q], [0, 1, 0], [-q, 0, b]], [[c, -r, 0], [r, c, 0], [0, 0, 1]]]
    return np.linalg.multi_dot(np.array(turns, float))


OBLIQUE = rotation(0.3, -0.2, 0.5)
SIZE, SPACING, ORIGIN = (5, 4, 3), np.array([0.75, 1.5, 2.25]), np.array([-11.5, 220.25, -804.5])


def ramp(number, size=SIZE):
    """Voxels indexed [i, j, k], all different, with the extremes of their type among them."""
    values = np.arange(np.prod(size)).reshape(size, order="F")
    kind = np.dtype(number)
    if kind.kind == "f":
        values = (values - 20) * 17.625
        values.flat[0] = -1024.4375
    elif kind.kind == "i":
        values = values - 30
    values = values.astype(kind)
    if kind.kind in "iu":
        values.flat[0], values.flat[-1] = np.iinfo(kind).min, np.iinfo(kind).max
    return values


def affine_of(direction, spacing=SPACING, origin=ORIGIN):
    affine = np.eye(4)
    affine[:3, :3] = np.asarray(direction) * spacing
    affine[:3, 3] = origin
    return affine


def image_affine(image):
    return affine_of(np.reshape(image.GetDirection(), (3, 3)), image.GetSpacing(), image.GetOrigin())


class Writer:
    def __init__(self, folder):
        self.folder, self.entries = pathlib.Path(folder), []

    def put(self, name, *parts):
        (self.folder / name).write_bytes(b"".join(p.encode() if isinstance(p, str) else p for p in parts))

    def expect(self, name, voxels, affine):
        """`voxels` indexed [i, j, k], `affine` to LPS."""
        raw = f"{len(self.entries)}.f32"
        with np.errstate(over="ignore"):
            (self.folder / raw).write_bytes(np.asarray(voxels).astype("<f4").tobytes(order="F"))
        entry = {"path": str(name), "size": list(voxels.shape), "affine": affine[:3].tolist(), "voxels": raw}
        self.entries.append(entry)

    def refuse(self, name, word):
        self.entries.append({"path": str(name), "refused": word})

    # NIfTI, by nibabel's headers and our own bytes, so that every field is what the case says.

    def nifti(self, name, voxels, *, version=1, order="<", sform=None, qform=None, slope=None, units="mm", extension=b"",
              edit=None, squeeze=True, tail=b""):
        pair = not name.removesuffix(".gz").endswith(".nii")
        headers = {(1, False): nibabel.nifti1.Nifti1Header, (2, False): nibabel.nifti2.Nifti2Header,
                   (1, True): nibabel.nifti1.Nifti1PairHeader, (2, True): nibabel.nifti2.Nifti2PairHeader}
        header = headers[version, pair](endianness=order)
        header.set_data_shape(voxels.shape)
        header.set_data_dtype(voxels.dtype)
        header.set_zooms(tuple(SPACING) + (1.0,) * (voxels.ndim - 3) if voxels.ndim >= 3 else SPACING[:voxels.ndim])
        header.set_xyzt_units(units, "sec")
        if qform is not None:
            header.set_qform(qform, code=1, strip_shears=True)
        if sform is not None:
            header.set_sform(sform, code=2)
        if slope is not None:
            header["scl_slope"], header["scl_inter"] = slope
        block = header.sizeof_hdr + 4 + len(extension)
        header["vox_offset"] = 0 if pair else block
        if edit:
            edit(header)
        flags = b"\1\0\0\0" if extension else bytes(4)
        head = header.binaryblock + flags + extension
        data = voxels.astype(voxels.dtype.newbyteorder(order)).tobytes(order="F") + tail
        pack = gzip.compress if name.endswith(".gz") else bytes
        if pair:
            bare = name.removesuffix(".gz")[:-4]
            end = ".gz" if name.endswith(".gz") else ""
            self.put(f"{bare}.hdr{end}", pack(head))
            self.put(f"{bare}.img{end}", pack(data))
        else:
            self.put(name, pack(head + data))
        if squeeze:
            voxels = voxels.reshape(voxels.shape[:3])
        scale, shift = slope if slope and slope[0] not in (0, None) and np.isfinite(slope[0]) else (1, 0)
        exact = voxels if (scale, shift) == (1, 0) else voxels.astype(float) * np.float32(scale) + np.float64(np.float32(shift))
        return exact

    def niftis(self):
        ras = LPS @ affine_of(OBLIQUE)
        lps = affine_of(OBLIQUE)
        for number, version, order in itertools.product(NUMBERS, (1, 2), "<>"):
            name = f"{number}_{version}{'lb'[order == '>']}.nii" + (".gz" if number in ("i2", "f4") else "")
            self.expect(name, self.nifti(name, ramp(number), version=version, order=order, sform=ras, qform=ras), lps)
            image = nibabel.load(self.folder / name)
            assert np.allclose(LPS @ image.affine, lps, atol=1e-4)
            assert np.array_equal(np.asarray(image.dataobj), ramp(number))
        pairs = itertools.product((1, 2), ("", ".gz"), ("hdr", "img"), "<>")
        for version, end, half, order in pairs:
            name = f"pair{version}_{half}_{'lb'[order == '>']}.{half}{end}"
            self.expect(name, self.nifti(name, ramp("i2"), version=version, order=order, sform=ras), lps)
        for slope in [(0.5, -1024.0), (0.0, 7.0), (float("nan"), 3.0), (1.0, -1000.0), (2.5, 0.0)]:
            name = f"slope_{slope[0]}_{slope[1]}.nii"
            self.expect(name, self.nifti(name, ramp("i2"), sform=ras, slope=slope), lps)
        # The qform is another grid: the sform counts.
        other = LPS @ affine_of(np.eye(3))
        self.expect("both.nii", self.nifti("both.nii", ramp("i2"), sform=ras, qform=other), lps)
        self.expect("qform.nii", self.nifti("qform.nii", ramp("i2"), qform=ras), lps)
        mirror = affine_of(OBLIQUE @ np.diag([1, 1, -1]))
        self.expect("mirror.nii", self.nifti("mirror.nii", ramp("i2"), qform=LPS @ mirror), mirror)
        self.expect("sform.nii", self.nifti("sform.nii", ramp("i2"), sform=LPS @ mirror), mirror)
        # Turned by 180 degrees: the quaternion's first component is 0, and rounding may make the others longer than 1.
        half = affine_of(rotation(0, 0, np.pi) @ np.diag([1, 1, 1]))
        self.expect("half.nii", self.nifti("half.nii", ramp("i2"), qform=LPS @ half), half)
        shear = ras.copy()
        shear[:3, 2] += 0.4 * ras[:3, 1]
        self.expect("shear.nii", self.nifti("shear.nii", ramp("i2"), sform=shear, qform=ras), lps)
        self.nifti("only_shear.nii", ramp("i2"), sform=shear)
        self.refuse("only_shear.nii", "perpendicular")
        plain = LPS @ np.diag([*SPACING, 1.0])
        self.expect("neither.nii", self.nifti("neither.nii", ramp("i2")), plain)
        for units, factor in (("meter", 1e-3), ("micron", 1e3)):
            name = f"{units}.nii"
            scaled = np.diag([factor] * 3 + [1.0]) @ ras
            self.expect(name, self.nifti(name, ramp("i2"), sform=scaled, units=units), lps)
        note = struct.pack("<ii", 32, 6) + b"a comment".ljust(24, b"\0")
        self.expect("extended.nii", self.nifti("extended.nii", ramp("i2"), sform=ras, extension=note), lps)
        self.expect("one_volume.nii", self.nifti("one_volume.nii", ramp("i2", SIZE + (1,)), sform=ras), lps)
        self.expect("one_slice.nii", self.nifti("one_slice.nii", ramp("i2", (5, 4, 1)), sform=ras), lps)
        # The name says one thing, the content another.
        packed = self.nifti("misnamed.nii.gz", ramp("i2"), sform=ras)
        (self.folder / "misnamed.nii.gz").rename(self.folder / "packed.nii")
        self.expect("packed.nii", packed, lps)
        self.nifti("unpacked.nii", ramp("i2"), sform=ras)
        (self.folder / "unpacked.nii").rename(self.folder / "plain.nii.gz")
        self.expect("plain.nii.gz", packed, lps)
        whole = gzip.decompress((self.folder / "packed.nii").read_bytes())
        self.put("members.nii.gz", gzip.compress(whole[:100]), gzip.compress(whole[100:]))
        self.expect("members.nii.gz", packed, lps)
        for n, rest in enumerate((b"\0" * 512, b"xyz", b"\0", b"more bytes, of no format at all")):
            self.put(f"garbage{n}.nii.gz", gzip.compress(whole), rest)
            self.expect(f"garbage{n}.nii.gz", packed, lps)
        self.put("cut.nii.gz", gzip.compress(whole)[:-30])
        self.refuse("cut.nii.gz", "cut off")
        flipped = bytearray(gzip.compress(whole))
        flipped[-6] ^= 1
        self.put("checksum.nii.gz", bytes(flipped))
        self.refuse("checksum.nii.gz", "damaged")
        self.put("cut.nii", whole[:-1])
        self.refuse("cut.nii", "119 of 120")
        self.put("short.nii", whole[:200])
        self.refuse("short.nii", "not an image")
        self.nifti("complex.nii", ramp("i2").astype("c8"), sform=ras)
        self.refuse("complex.nii", "complex")
        rgb = np.zeros(SIZE, nibabel.nifti1.data_type_codes.dtype["RGB"])
        self.nifti("rgb.nii", rgb, sform=ras)
        self.refuse("rgb.nii", "RGB")
        self.nifti("four.nii", ramp("i2", SIZE + (6,)), sform=ras, squeeze=False)
        self.refuse("four.nii", "6 volumes")
        self.nifti("two.nii", ramp("i2", (5, 4)), sform=ras, squeeze=False)
        self.refuse("two.nii", "2D")
        edits = {
            "bitpix": (lambda h: h.__setitem__("bitpix", 32), "contradicts"),
            "negative": (lambda h: h["dim"].__setitem__(2, -4), "-4"),
            "zero": (lambda h: h["dim"].__setitem__(3, 0), "0 voxels"),
            "huge": (lambda h: h["dim"].__setitem__(slice(1, 4), 32767), "limit"),
            "nan": (lambda h: h["srow_x"].__setitem__(0, np.nan), "spacing"),
            "offset": (lambda h: h.__setitem__("vox_offset", 40), "inside the header"),
            "wide": (lambda h: h.__setitem__("datatype", 1536), "128-bit"),
            "type": (lambda h: h.__setitem__("datatype", 77), "77"),
        }
        for name, (edit, word) in edits.items():
            self.nifti(f"bad_{name}.nii", ramp("i2"), sform=ras, edit=edit)
            self.refuse(f"bad_{name}.nii", word)
        self.nifti("flat_zoom.nii", ramp("i2"), qform=ras, edit=lambda h: h["pixdim"].__setitem__(2, 0))
        self.refuse("flat_zoom.nii", "spacing")
        bad = ramp("f4")
        bad[1, 1, 1] = np.nan
        self.nifti("not_finite.nii", bad, sform=ras)
        self.refuse("not_finite.nii", "finite")

    # SimpleITK's own files.

    def itks(self):
        turns = {"straight": np.eye(3), "oblique": OBLIQUE, "turned": np.eye(3)[[2, 0, 1]], "mirrored": np.diag([-1, 1, 1.0])}
        for (turn, direction), ending, number in itertools.product(
            turns.items(), ("nii", "nii.gz", "img", "nrrd", "nhdr", "mha", "mhd"), NUMBERS
        ):
            if turn != "oblique" and number not in ("i2", "f4"):
                continue
            image = sitk.GetImageFromArray(ramp(number).transpose(2, 1, 0))
            image.SetSpacing(SPACING.tolist())
            image.SetOrigin(ORIGIN.tolist())
            image.SetDirection(direction.flatten().tolist())
            for packed in (False, True) if ending in ("nrrd", "nhdr", "mha", "mhd") else (False,):
                name = f"itk_{turn}_{number}_{packed}.{ending}"
                sitk.WriteImage(image, str(self.folder / name), packed)
                self.expect(name, ramp(number), affine_of(direction))
        flat = sitk.Image([4, 5], sitk.sitkInt16)
        colour = sitk.Image([4, 5, 6], sitk.sitkVectorUInt8, 3)
        series = sitk.Image([4, 5, 6, 7], sitk.sitkInt16)
        for ending in ("nii", "nrrd", "nhdr", "mha", "mhd"):
            for image, name, word in ((flat, "flat", "2D"), (colour, "colour", ""), (series, "series", "4D")):
                sitk.WriteImage(image, str(self.folder / f"itk_{name}.{ending}"))
                self.refuse(f"itk_{name}.{ending}", word)

        one = sitk.JoinSeries([sitk.GetImageFromArray(ramp("i2").transpose(2, 1, 0))])
        for ending in ("nii", "nrrd", "nhdr", "mha", "mhd"):
            sitk.WriteImage(one, str(self.folder / f"itk_one.{ending}"))
            self.expect(f"itk_one.{ending}", ramp("i2"), np.eye(4))

    # Text headers by hand: what SimpleITK reads, but does not write.

    def texts(self):
        values = ramp("i2")
        little, big = (values.astype(f"{o}i2").tobytes(order="F") for o in "<>")
        a = affine_of(OBLIQUE)
        vector = lambda v: "(" + ",".join(repr(float(x)) for x in v) + ")"

        def nrrd(name, body=b"", *, affine=a, space="left-posterior-superior", sizes="5 4 3", dimension=3, before="", **fields):
            given = {"type": "short", "dimension": dimension, "sizes": sizes, "endian": "little", "encoding": "raw"}
            fields = {**given, **fields}
            if affine is not None:
                directions = before + " ".join(vector(affine[:3, n]) for n in range(3))
                grid = {"space": space, "space directions": directions, "space origin": vector(affine[:3, 3])}
                # The data file comes last, as a list of them goes on to the end of the header.
                data_file = fields.pop("data_file", None)
                fields = {**fields, **grid, "data_file": data_file}
            lines = "".join(f"{k.replace('_', ' ')}: {v}\n" for k, v in fields.items() if v is not None)
            listed = (fields.get("data_file") or "").startswith("LIST")
            self.put(name, "NRRD0004\n# by hand\nkey:=value\n", lines, "" if listed else "\n", body)

        def accept(name, affine=a, check=True):
            self.expect(name, values, affine)
            if check:
                image = sitk.ReadImage(str(self.folder / name))
                assert np.allclose(image_affine(image), affine, atol=1e-6), name
                assert np.array_equal(sitk.GetArrayFromImage(image).transpose(2, 1, 0), values), name

        nrrd("big.nrrd", big, endian="big")
        accept("big.nrrd")
        nrrd("ras.nrrd", little, affine=LPS @ a, space="RAS")
        accept("ras.nrrd")
        nrrd("las.nrrd", little, affine=np.diag([1, -1, 1, 1.0]) @ a, space="left-anterior-superior")
        accept("las.nrrd", check=False)
        text = " ".join(map(str, values.flatten(order="F")))
        nrrd("text.nrrd", text, encoding="ascii", endian=None)
        accept("text.nrrd")
        nrrd("crlf.nhdr", data_file="crlf.raw")
        self.put("crlf.raw", little)
        self.put("crlf.nhdr", (self.folder / "crlf.nhdr").read_bytes().replace(b"\n", b"\r\n"))
        accept("crlf.nhdr", check=False)
        nrrd("spacings.nrrd", little, affine=None, spacings="0.75 1.5 2.25")
        accept("spacings.nrrd", np.diag([*SPACING, 1]))
        nrrd("packed.nrrd", gzip.compress(little), encoding="gz")
        accept("packed.nrrd")
        self.put("skip.raw", "one line\n", b"123", little)
        nrrd("skip.nhdr", data_file="skip.raw", line_skip="1", byte_skip="3")
        accept("skip.nhdr")
        nrrd("last.nhdr", data_file="skip.raw", byte_skip="-1")
        accept("last.nhdr")
        self.put("skip.gz", "one line\n", gzip.compress(b"123" + little))
        nrrd("skip_packed.nhdr", data_file="skip.gz", encoding="gzip", line_skip="1", byte_skip="3")
        accept("skip_packed.nhdr", check=False)
        for k in range(3):
            self.put(f"slice{k + 1}.raw", values[:, :, k].astype("<i2").tobytes(order="F"))
            self.put(f"slice{k + 1}.gz", gzip.compress(values[:, :, k].astype("<i2").tobytes(order="F")))
            self.put(f"headed{k + 1}.raw", b"header", values[:, :, k].astype("<i2").tobytes(order="F"))
            self.put(f"long{k + 1}.raw", values[:, :, k].astype("<i2").tobytes(order="F"), b"tail")
        nrrd("list.nhdr", b"slice1.raw\nslice2.raw\nslice3.raw\n", data_file="LIST")
        accept("list.nhdr")
        nrrd("list_gz.nhdr", b"slice1.gz\nslice2.gz\nslice3.gz\n", data_file="LIST", encoding="gzip")
        accept("list_gz.nhdr", check=False)
        nrrd("pattern.nhdr", data_file="slice%d.raw 1 3 1")
        accept("pattern.nhdr")
        nrrd("headed.nhdr", data_file="headed%d.raw 1 3 1", byte_skip="-1")
        accept("headed.nhdr")
        nrrd("long.nhdr", data_file="long%d.raw 1 3 1")
        accept("long.nhdr", check=False)
        nrrd("trailing.nrrd", little, affine=None, sizes="5 4 3 1", dimension=4, spacings="0.75 1.5 2.25 1")
        accept("trailing.nrrd", np.diag([*SPACING, 1]), check=False)
        nrrd("leading.nrrd", little, before="none ", sizes="1 5 4 3", dimension=4)
        accept("leading.nrrd", check=False)
        nrrd("kinds.nrrd", little, affine=None, kinds="RGB-color domain domain", spacings="1 1 1", sizes="3 4 5")
        self.refuse("kinds.nrrd", "RGB-color")
        # Lines are passed over before unpacking, bytes after it, but for those of hexadecimal digits; -1: the voxels are the last bytes;
        # -3: two bytes follow them.
        hexed = little.hex().encode()
        packings = {
            "raw": (bytes, ["raw", "RAW"]), "gzip": (gzip.compress, ["gzip", "gz"]), "bzip2": (bz2.compress, ["bzip2", "bz2"]),
            "hex": (lambda b: b.hex().encode(), ["hex"]),
        }
        for encoding, (pack, spellings) in packings.items():
            for n, spelling in enumerate(spellings):
                nrrd(f"spelt_{encoding}{n}.nrrd", pack(little), encoding=spelling)
                accept(f"spelt_{encoding}{n}.nrrd", check=encoding == "gzip" or spelling == "raw")
            for lines, front, skip, back in ((2, b"", None, b""), (0, b"123", "3", b""), (1, b"12345", "5", b""), (1, b"1234", "-1", b""),
                                             (0, b"1234", "-1", b""), (0, b"1234", "-3", b"56")):
                name = f"skip_{encoding}_{lines}_{len(front)}_{len(back)}.nrrd"
                skips = {"line_skip": str(lines) if lines else None, "byte_skip": skip}
                plain = encoding == "hex" and not (skip or "").startswith("-")
                body = front + pack(little) if plain else pack(front + little + back)
                nrrd(name, b"any line\n" * lines + body, encoding=encoding, **skips)
                accept(name, check=plain)
        nrrd("skip_lines.nrrd", b"one\ntwo\n" + little, line_skip="2")
        accept("skip_lines.nrrd")
        nrrd("skip_last.nrrd", gzip.compress(b"J" * 10 + little), encoding="gzip", byte_skip="-1")
        accept("skip_last.nrrd")
        nrrd("hex_lines.nrrd", b"\n".join(hexed[n : n + 30] for n in range(0, len(hexed), 30)), encoding="hex")
        accept("hex_lines.nrrd", check=False)
        for n, encoding in enumerate(("ascii", "text", "txt", "ASCII")):
            nrrd(f"text{n}.nrrd", "a line\n" + text.replace(" ", ", "), encoding=encoding, endian=None, lineskip="1")
            accept(f"text{n}.nrrd", check=False)
        shorts = ("short", "short int", "signed short", "signed short int", "int16", "int16_t", "Short")
        for n, spelling in enumerate(shorts):
            nrrd(f"short{n}.nrrd", little, type=spelling)
            accept(f"short{n}.nrrd", check=spelling != "Short")
        # Names of fields are written with and without blanks, and in any case.
        for n, given in enumerate(("byteskip", "BYTE SKIP", "Byte Skip")):
            nrrd(f"field{n}.nrrd", b"123" + little, **{given: "3"})
            accept(f"field{n}.nrrd", check=given == "byteskip")
        for n, given in enumerate(("centers", "centerings")):
            nrrd(f"centred{n}.nrrd", little, **{given: "cell cell cell"})
            accept(f"centred{n}.nrrd")
        # Data files are named as C prints numbers; what is no such template is a name.
        for k in range(3):
            self.put(f"  {k + 1}%.raw", values[:, :, k].astype("<i2").tobytes(order="F"))
        nrrd("padded.nhdr", data_file="%3d%%.raw 1 3 1")
        accept("padded.nhdr")
        self.put("100%.raw", little)
        nrrd("per_cent.nhdr", data_file="100%.raw")
        accept("per_cent.nhdr")
        for n, space in enumerate(("3D-left-handed", "3D-right-handed", "scanner-xyz", "LPS")):
            nrrd(f"space{n}.nrrd", little, space=space)
            accept(f"space{n}.nrrd")
        nrrd("nowhere.nrrd", little, affine=None, space=None, spacings="nan 1.5 2.25")
        accept("nowhere.nrrd", np.diag([1, *SPACING[1:], 1]))
        # Without a space an image lies where the axes' least values say: edges of cells, or nodes.
        for n, (given, first) in enumerate((
            ({"spacings": "0.75 1.5 2.25"}, (-39.625, -35.25, -98.875)),
            ({"spacings": "0.75 1.5 2.25", "centerings": "node node node"}, (-40, -36, -100)),
            ({"spacings": "0.75 1.5 2.25", "axis_maxs": "0 0 0"}, (-39.625, -35.25, -98.875)),
        )):
            grid = np.diag([*SPACING, 1.0])
            grid[:3, 3] = first
            nrrd(f"mins{n}.nrrd", little, affine=None, space=None, axis_mins="-40 -36 -100", **given)
            accept(f"mins{n}.nrrd", grid)
        nrrd("vector_of_one.nrrd", little, affine=None, kinds="vector domain domain domain", sizes="1 5 4 3", dimension=4,
             spacings="1 0.75 1.5 2.25")
        accept("vector_of_one.nrrd", np.diag([*SPACING, 1]), check=False)
        nrrd("endless.nrrd", little, endian=None)
        self.refuse("endless.nrrd", "endian")
        nrrd("absent.nhdr", data_file="absent.raw")
        self.refuse("absent.nhdr", "absent.raw")
        self.put("whole.nrrd.gz", gzip.compress((self.folder / "big.nrrd").read_bytes()))
        self.refuse("whole.nrrd.gz", "gunzip")
        nrrd("few.nrrd", text[: len(text) // 2], encoding="ascii")
        self.refuse("few.nrrd", "voxels")

        def meta(name, data_file, body=b"", *, dims="5 4 3", n=3, **fields):
            words = lambda v: " ".join(repr(float(x)) for x in np.ravel(v))
            fields = {
                "TransformMatrix": words(OBLIQUE.T), "Offset": words(ORIGIN), "ElementSpacing": words(SPACING),
                "BinaryData": "True", "BinaryDataByteOrderMSB": "False", **fields, "ElementType": "MET_SHORT",
            }
            lines = "".join(f"{k} = {v}\n" for k, v in fields.items() if v is not None)
            self.put(name, f"ObjectType = Image\nNDims = {n}\nDimSize = {dims}\n", lines, f"ElementDataFile = {data_file}\n", body)

        meta("big.mha", "LOCAL", big, BinaryDataByteOrderMSB="True")
        accept("big.mha")
        words = " ".join(repr(float(x)) for x in OBLIQUE.T.ravel())
        place = " ".join(repr(float(x)) for x in ORIGIN)
        meta("names.mha", "LOCAL", little, TransformMatrix=None, Orientation=words, Offset=None, Position=place)
        accept("names.mha")
        meta("case.mha", "LOCAL", big, BinaryDataByteOrderMSB=None, ElementByteOrderMSB="True")
        accept("case.mha")
        for n, (matrix, origin) in enumerate(itertools.product(("TransformMatrix", "Rotation", "Orientation"), ("Offset", "Position", "Origin"))):
            meta(f"spelt{n}.mha", "LOCAL", little, **{"TransformMatrix": None, "Offset": None, matrix: words, origin: place})
            accept(f"spelt{n}.mha")
        meta("text.mha", "LOCAL", text, BinaryData="False")
        accept("text.mha", check=False)
        packed = zlib.compress(little)
        meta("packed.mha", "LOCAL", packed, CompressedData="True", CompressedDataSize=str(len(packed)))
        accept("packed.mha")
        meta("packed_unsized.mha", "LOCAL", packed, CompressedData="True")
        accept("packed_unsized.mha", check=False)
        one = np.eye(4)
        one[:3, :3] = OBLIQUE.T
        meta("volume_of_series.mha", "LOCAL", little, dims="5 4 3 1", n=4, TransformMatrix=" ".join(map(repr, one.ravel().tolist())),
             Offset=place + " 0", ElementSpacing="0.75 1.5 2.25 1")
        accept("volume_of_series.mha", check=False)
        meta("list.mhd", "LIST", b"slice1.raw\nslice2.raw\nslice3.raw\n")
        accept("list.mhd")
        meta("pattern.mhd", "slice%d.raw 1 3 1")
        accept("pattern.mhd")
        for n, template in enumerate(("slice%i.raw", "slice%u.raw", "slice%.1d.raw", "%3d%%.raw")):
            meta(f"template{n}.mhd", f"{template} 1 3 1")
            accept(f"template{n}.mhd")
        meta("headed.mhd", "headed%d.raw 1 3 1", HeaderSize="-1")
        accept("headed.mhd", check=False)
        meta("last.mhd", "skip.raw", HeaderSize="-1")
        accept("last.mhd")
        meta("skip.mhd", "skip.raw", HeaderSize="12")
        accept("skip.mhd")
        meta("cut.mha", "LOCAL", little[:-5])
        self.refuse("cut.mha", "115 of 120")
        meta("headless.mha", "LOCAL", little, ElementSpacing="1 nan 1")
        self.refuse("headless.mha", "spacing")

    def odd(self, folder):
        """Real files of every kind; those that crash readers are left to the caller."""
        for path in sorted(pathlib.Path(folder).rglob("*.[nh][id][ir]*")):
            if "fuzz" in str(path):
                continue
            try:
                image = nibabel.load(path)
            except Exception:
                continue
            known = image.header["sform_code"] > 0 or image.header["qform_code"] > 0 if "sform_code" in image.header else False
            if len(image.shape) == 3 and image.get_data_dtype().kind in "iuf" and known:
                try:
                    self.expect(path, image.get_fdata(), LPS @ image.affine)
                except Exception:
                    continue


def check(folder):
    """Compares what was written with what SimpleITK and, for NIfTI, nibabel read; the number of differences."""
    folder, faults = pathlib.Path(folder), 0
    for entry in json.loads((folder / "written.json").read_text()):
        path = folder / entry["path"]
        affine = np.vstack([np.array(entry["affine"]), [0, 0, 0, 1]])
        voxels = np.fromfile(folder / entry["voxels"], entry["number"]).reshape(entry["size"], order="F")
        readings, two = [], False
        if path.suffixes[-1] in (".nii", ".img", ".hdr") or path.suffixes[-2:] in ([".nii", ".gz"], [".img", ".gz"]):
            image = nibabel.load(path)
            two = image.header["sizeof_hdr"] == 540
            for source in ("sform", "qform"):
                affine_here, code = getattr(image, f"get_{source}")(coded=True)
                if code > 0:
                    readings.append((f"nibabel's {source}", LPS @ affine_here, np.asarray(image.dataobj)))
                elif source == "sform":
                    faults += 1
                    print(f"{path.name}: no sform")
        # ITK 5.4 does not read NIfTI-2.
        if not two:
            image = sitk.ReadImage(str(path))
            readings.append(("SimpleITK", image_affine(image), sitk.GetArrayFromImage(image).transpose(2, 1, 0)))
        corners = np.array([[*c, 1] for c in itertools.product(*((0, n - 1) for n in entry["size"]))], float).T
        for reader, found, values in readings:
            distance = np.abs((found - affine) @ corners).max()
            same = values.shape == voxels.shape and values.dtype == voxels.dtype and np.array_equal(values, voxels)
            if distance > 1e-4 or not same:
                faults += 1
                print(f"{path.name}: by {reader} {distance:.2g} mm off, voxels {'the same' if same else 'different'}")
    return faults


if __name__ == "__main__":
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    task, folder, *more = sys.argv[1:]
    if task == "write":
        writer = Writer(folder)
        writer.niftis()
        writer.itks()
        writer.texts()
        for odd in more:
            writer.odd(odd)
        (writer.folder / "manifest.json").write_text(json.dumps(writer.entries))
    else:
        sys.exit(1 if check(folder) else 0)
