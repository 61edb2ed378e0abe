package dev.graft.formats;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * One array in NumPy's npy format, versions 1 to 3: little-endian numbers in row-major order. Objects (pickles), structures, big
 * endian and column-major files are refused. Source: {@code numpy.lib.format}.
 *
 * <pre>{@code
 * TensorData array = Npy.read(Path.of("image.npy"));
 * Npy.write(Path.of("copy.npy"), array);
 * }</pre>
 */
public final class Npy {

    private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y'};
    private static final int MAX_HEADER_BYTES = 65_536;
    private static final int MAX_RANK = 32;

    /** The literal that NumPy writes: {@code {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }}. */
    private static final Pattern HEADER =
            Pattern.compile("\\{\\s*'descr':\\s*'([^']{1,16})',\\s*'fortran_order':\\s*(True|False),"
                    + "\\s*'shape':\\s*\\(([0-9, ]*)\\),?\\s*\\}\\s*");

    private Npy() {}

    /**
     * Reads an array into memory. Its name is that of the file without {@code .npy}.
     *
     * @throws FormatException if there is no such file or it breaks the rules above
     */
    public static TensorData read(Path path) {
        try (MappedFile file = MappedFile.open(path)) {
            int prefix = file.size() < 12 ? 0 : 12;
            ByteBuffer start = ByteBuffer.wrap(file.copy(0, prefix)).order(ByteOrder.LITTLE_ENDIAN);
            if (prefix == 0 || !Arrays.equals(Arrays.copyOf(start.array(), MAGIC.length), MAGIC)) {
                throw new FormatException(path, "does not start with \\x93NUMPY; this is not an npy file");
            }
            int version = start.get(6);
            if (version < 1 || version > 3) {
                throw new FormatException(path, "npy version " + version + ", expected 1, 2 or 3");
            }
            int headerStart = version == 1 ? 10 : 12;
            long headerLength = version == 1 ? start.getShort(8) & 0xffff : Integer.toUnsignedLong(start.getInt(8));
            if (headerLength > Math.min(MAX_HEADER_BYTES, file.size() - headerStart)) {
                throw new FormatException(
                        path,
                        "header length is " + headerLength + ", expected at most "
                                + Math.min(MAX_HEADER_BYTES, file.size() - headerStart));
            }
            String header = new String(file.copy(headerStart, (int) headerLength), StandardCharsets.ISO_8859_1);
            TensorInfo info = info(path, header);
            long dataStart = headerStart + headerLength;
            if (info.bytes() != file.size() - dataStart) {
                throw new FormatException(
                        path,
                        "an array of shape " + Arrays.toString(info.shape()) + " and type " + info.dtype() + " needs "
                                + info.bytes() + " bytes, the file has " + (file.size() - dataStart));
            }
            if (info.bytes() > Integer.MAX_VALUE - 8) {
                throw new FormatException(path, "has " + info.bytes() + " bytes; more than 2147483639 cannot be read");
            }
            return new TensorData(info, ByteBuffer.wrap(file.copy(dataStart, (int) info.bytes())));
        }
    }

    /** Writes an array as version 1, atomically; its name is not stored. */
    public static void write(Path path, TensorData array) {
        long[] shape = array.info().shape();
        String sizes = Arrays.stream(shape).mapToObj(Long::toString).collect(Collectors.joining(", "));
        String header = "{'descr': '" + descr(array.info().dtype()) + "', 'fortran_order': False, 'shape': (" + sizes
                + (shape.length == 1 ? ",)" : ")") + ", }";
        int padded = (10 + header.length() + 1 + 63) / 64 * 64 - 10;
        ByteBuffer start = ByteBuffer.allocate(10 + padded).order(ByteOrder.LITTLE_ENDIAN);
        start.put(MAGIC).put((byte) 1).put((byte) 0).putShort((short) padded);
        start.put((header + " ".repeat(padded - 1 - header.length()) + "\n").getBytes(StandardCharsets.ISO_8859_1));
        start.flip();
        AtomicWrite.file(path, out -> {
            for (ByteBuffer part : new ByteBuffer[] {start.duplicate(), array.bytes()}) {
                while (part.hasRemaining()) {
                    out.write(part);
                }
            }
        });
    }

    private static TensorInfo info(Path path, String header) {
        Matcher matcher = HEADER.matcher(header);
        if (!matcher.matches()) {
            throw new FormatException(path, "header is not as NumPy writes it: " + header.strip());
        }
        DType dtype = dtype(path, matcher.group(1));
        String[] sizes =
                matcher.group(3).isBlank() ? new String[0] : matcher.group(3).split(",");
        if (sizes.length > MAX_RANK) {
            throw new FormatException(path, "has " + sizes.length + " dimensions, expected at most " + MAX_RANK);
        }
        long[] shape = new long[sizes.length];
        try {
            for (int i = 0; i < sizes.length; i++) {
                shape[i] = Long.parseLong(sizes[i].strip());
            }
            String file = path.getFileName() == null ? "" : path.getFileName().toString();
            if (matcher.group(2).equals("True")
                    && Arrays.stream(shape).filter(size -> size != 1).count() > 1) {
                throw new FormatException(
                        path, "is in column-major (Fortran) order; save numpy.ascontiguousarray(array)");
            }
            return new TensorInfo(file.endsWith(".npy") ? file.substring(0, file.length() - 4) : file, dtype, shape);
        } catch (NumberFormatException e) {
            throw new FormatException(
                    path.toString(), "shape is (" + matcher.group(3) + "), expected whole numbers", e);
        } catch (ArithmeticException e) {
            throw new FormatException(path.toString(), String.valueOf(e.getMessage()), e);
        }
    }

    private static DType dtype(Path path, String descr) {
        return switch (descr) {
            case "<f8" -> DType.F64;
            case "<f4" -> DType.F32;
            case "<f2" -> DType.F16;
            case "<i8" -> DType.I64;
            case "<i4" -> DType.I32;
            case "<i2" -> DType.I16;
            case "|i1" -> DType.I8;
            case "<u4" -> DType.U32;
            case "|u1" -> DType.U8;
            case "|b1" -> DType.BOOL;
            default ->
                throw new FormatException(
                        path,
                        "has the type '" + descr
                                + "', expected '<f8', '<f4', '<f2', '<i8', '<i4', '<i2', '|i1', '<u4', '|u1' or '|b1'");
        };
    }

    private static String descr(DType dtype) {
        return switch (dtype) {
            case F64 -> "<f8";
            case F32 -> "<f4";
            case F16 -> "<f2";
            case I64 -> "<i8";
            case I32 -> "<i4";
            case I16 -> "<i2";
            case I8 -> "|i1";
            case U32 -> "<u4";
            case U8 -> "|u1";
            case BOOL -> "|b1";
            case BF16, F8_E4M3, F8_E5M2 -> throw new IllegalArgumentException("npy has no " + dtype);
        };
    }
}
