package dev.graft.models.weights;

import dev.graft.formats.Sha256;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import dev.graft.models.matrices.QuantizedMatrix;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** SHA-256 of named tensors in the order of their names, as 64 hexadecimal digits. */
public final class TensorDigest {
    private final MessageDigest digest = Sha256.digest();

    private TensorDigest() {}

    /** Returns the digest of names, types, shapes and bytes as they are stored. */
    public static String of(TensorSource tensors) {
        TensorDigest sha = new TensorDigest();
        for (String tensor : new TreeSet<>(tensors.names())) {
            TensorInfo info = tensors.info(tensor);
            sha.add(info.toString());
            // Not in the Java heap, which would keep for good what the largest tensor takes.
            try (Scope scope = new Scope()) {
                ByteBuffer copy = Tensors.buffer(Tensors.empty(ScalarType.Byte, info.bytes()));
                tensors.read(tensor, copy);
                sha.digest.update(copy.flip());
            }
        }
        return Sha256.hex(sha.digest);
    }

    /** Returns the digest of names and bytes in memory. */
    public static String of(Map<String, Tensor> parameters, Map<String, QuantizedMatrix> matrices) {
        TensorDigest sha = new TensorDigest();
        new TreeMap<>(parameters).forEach((parameter, value) -> {
            sha.add(parameter);
            sha.digest.update(Tensors.bytes(value));
        });
        new TreeMap<>(matrices).forEach((parameter, matrix) -> {
            sha.add(parameter);
            matrix.parts().forEach(part -> sha.digest.update(Tensors.bytes(part)));
        });
        return Sha256.hex(sha.digest);
    }

    private void add(String text) {
        digest.update(text.getBytes(StandardCharsets.UTF_8));
    }
}
