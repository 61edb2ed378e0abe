package dev.graft.parity;

import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import dev.graft.models.checkpoints.TensorConversion;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeSet;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** A file of stored tensors that records which of them were read, so that no omission goes unnoticed. */
final class ReferenceTensors implements AutoCloseable {
    private final TensorSource source;
    private final TreeSet<String> unread;

    ReferenceTensors(Path file) {
        source = Safetensors.open(file);
        unread = new TreeSet<>(source.names());
    }

    TensorSource source() {
        return source;
    }

    boolean has(String name) {
        return source.names().contains(name);
    }

    Tensor get(String name) {
        TensorInfo info = source.info(name);
        unread.remove(name);
        return Tensors.of(source.bytes(name), TensorConversion.type(info), info.shape());
    }

    @Nullable
    Tensor find(String name) {
        return has(name) ? get(name) : null;
    }

    /** The names with that beginning, in order. */
    List<String> startingWith(String prefix) {
        return source.names().stream()
                .filter(name -> name.startsWith(prefix))
                .sorted()
                .toList();
    }

    /** Names with that beginning hold something that isn't to be compared. */
    void ignore(String prefix) {
        unread.removeIf(name -> name.startsWith(prefix));
    }

    /** A stored result that nothing compared is a difference. */
    void requireAllRead(CaseCheck check) {
        check.that(unread.isEmpty(), "the reference holds " + unread + ", which nothing compares");
    }

    @Override
    public void close() {
        source.close();
    }
}
