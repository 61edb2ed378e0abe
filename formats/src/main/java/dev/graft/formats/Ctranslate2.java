package dev.graft.formats;

import dev.graft.formats.internal.NameHint;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The {@code model.bin} of CTranslate2, version 6: the name of a specification, then variables by their path, such as
 * {@code encoder/layer_0/ffn/linear_0/weight}, then aliases of some of them. Source: {@code model_spec.py} of OpenNMT/CTranslate2.
 *
 * <pre>{@code
 * try (Ctranslate2 model = Ctranslate2.open(Path.of("model.bin"))) {
 *     System.out.println(model.specification() + " " + model.info("encoder/conv1/weight"));
 * }
 * }</pre>
 */
public final class Ctranslate2 implements TensorSource {
    private static final int VERSION = 6;
    private static final int MOST_VARIABLES = 1 << 20;
    private static final int MOST_DIMENSIONS = 8;

    private final MappedFile file;
    private final String specification;
    private final Map<String, Variable> variables = new LinkedHashMap<>();

    private record Variable(TensorInfo info, long start) {}

    private Ctranslate2(MappedFile file) {
        this.file = file;
        ByteCursor in = new ByteCursor(file);
        int version = in.int32("the version");
        if (version != VERSION) {
            throw in.error("the version is " + version + ", expected " + VERSION
                    + ": convert the model again with a recent CTranslate2");
        }
        specification = text(in, "the name of the specification");
        in.int32("the revision");
        int count = in.count(in.int32("the number of variables"), 8, MOST_VARIABLES, "variables");
        for (int i = 0; i < count; i++) {
            Variable variable = variable(in);
            if (variables.put(variable.info.name(), variable) != null) {
                throw in.error("two variables are called " + variable.info.name());
            }
        }
        int aliases = in.count(in.int32("the number of aliases"), 4, MOST_VARIABLES, "aliases");
        for (int i = 0; i < aliases; i++) {
            String alias = text(in, "an alias");
            String target = text(in, "the target of " + alias);
            Variable variable = variables.get(target);
            if (variable == null) {
                throw in.error(alias + " is another name of " + target + ", which is not there");
            }
            TensorInfo own = new TensorInfo(alias, variable.info.dtype(), variable.info.shape());
            if (variables.put(alias, new Variable(own, variable.start)) != null) {
                throw in.error("two variables are called " + alias);
            }
        }
        if (in.remaining() != 0) {
            throw in.error(in.remaining() + " bytes follow the last alias");
        }
    }

    /**
     * Opens a file and reads the names of its variables.
     *
     * @throws FormatException if there is no such file or it breaks the rules of the format
     */
    public static Ctranslate2 open(Path path) {
        MappedFile file = MappedFile.open(path);
        try {
            return new Ctranslate2(file);
        } catch (RuntimeException | Error e) {
            file.close();
            throw e;
        }
    }

    private Variable variable(ByteCursor in) {
        String name = text(in, "the name of a variable");
        int rank = in.int8("the rank of " + name) & 0xff;
        if (rank > MOST_DIMENSIONS) {
            throw in.error(name + " has " + rank + " dimensions, expected at most " + MOST_DIMENSIONS);
        }
        List<Long> shape = new ArrayList<>();
        for (int i = 0; i < rank; i++) {
            shape.add(Integer.toUnsignedLong(in.int32("the shape of " + name)));
        }
        int code = in.int8("the type of " + name);
        DType type = switch (code) {
            case 0 -> DType.F32;
            case 1 -> DType.I8;
            case 2 -> DType.I16;
            case 3 -> DType.I32;
            case 4 -> DType.F16;
            case 5 -> DType.BF16;
            default -> throw in.error(name + " has the type " + code + ", expected 0 to 5");
        };
        long bytes = Integer.toUnsignedLong(in.int32("the size of " + name));
        TensorInfo info;
        try {
            info = new TensorInfo(
                    name, type, shape.stream().mapToLong(Long::longValue).toArray());
        } catch (ArithmeticException e) {
            throw in.error(String.valueOf(e.getMessage()));
        }
        if (bytes != info.bytes() || bytes > in.remaining()) {
            throw in.error(info + " has " + info.bytes() + " bytes, the file says " + bytes + " and has "
                    + in.remaining() + " left");
        }
        Variable variable = new Variable(info, in.position());
        in.skip(bytes);
        return variable;
    }

    /** A text with its length, a final zero included, in 16 bits before it. */
    private static String text(ByteCursor in, String what) {
        int length = in.count(in.int16("the length of " + what) & 0xffff, 1, 0xffff, "length of " + what);
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) {
            bytes[i] = in.int8(what);
        }
        if (length == 0 || bytes[length - 1] != 0) {
            throw in.error(what + " doesn't end with a zero");
        }
        return new String(bytes, 0, length - 1, StandardCharsets.UTF_8);
    }

    /** The specification of the model, such as {@code WhisperSpec}. */
    public String specification() {
        return specification;
    }

    @Override
    public Set<String> names() {
        return Collections.unmodifiableSet(variables.keySet());
    }

    @Override
    public TensorInfo info(String name) {
        return find(name).info;
    }

    @Override
    public ByteBuffer bytes(String name) {
        Variable variable = find(name);
        return file.view(variable.start, variable.info.bytes(), name);
    }

    private Variable find(String name) {
        Variable variable = variables.get(name);
        if (variable == null) {
            throw new FormatException(path(), "has no variable \"" + name + "\"" + NameHint.hint(name, names()));
        }
        return variable;
    }

    /** The name of the specification as {@code specification}. */
    @Override
    public Map<String, String> metadata() {
        return Map.of("specification", specification);
    }

    @Override
    public Path path() {
        return file.path();
    }

    @Override
    public void close() {
        file.close();
    }
}
