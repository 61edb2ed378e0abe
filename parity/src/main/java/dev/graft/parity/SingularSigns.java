package dev.graft.parity;

import dev.graft.formats.FileAccessException;
import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.models.Base;
import dev.graft.models.checkpoints.TensorConversion;
import dev.graft.peft.Adapter;
import dev.graft.peft.Merge;
import dev.graft.tensor.Tensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * The signs of the singular vectors that a PSOFT adapter of one layer was trained with, which the reference's files lack: of the
 * {@code 2^(r - 1)} choices that differ the one whose merged weight is the reference's. All else is compared with that one.
 */
final class SingularSigns {
    private SingularSigns() {}

    /**
     * The adapter with the signs that come nearest.
     *
     * @param module the layer's name
     * @param merged the reference's weight of it, {@code [out, in]}
     */
    static Adapter load(Base base, Path folder, String module, Tensor merged) {
        int r = Json.read(folder.resolve(AdapterFiles.CONFIG)).path("r").intValue();
        Adapter nearest = null;
        double least = Double.POSITIVE_INFINITY;
        for (int choice = 0; choice < 1 << (r - 1); choice++) {
            Adapter adapter = with(signs(choice, r), base, folder, module);
            Tensor weight =
                    Objects.requireNonNull(Merge.merge(adapter).parameters().get(module + ".weight"));
            double apart = Tensors.item(weight.sub(merged).abs().amax());
            if (nearest == null || apart < least) {
                nearest = adapter;
                least = apart;
            }
        }
        return Objects.requireNonNull(nearest);
    }

    private static Tensor signs(int choice, int r) {
        long[] signs = new long[r];
        for (int i = 0; i < r; i++) {
            signs[i] = (choice >> i & 1) == 0 ? 1 : -1;
        }
        return Tensors.of(signs, r).to(ScalarType.Int);
    }

    private static Adapter with(Tensor signs, Base base, Path folder, String module) {
        return AdapterFiles.temporary(temporary -> {
            try {
                for (String file : List.of(AdapterFiles.CONFIG, AdapterFiles.TENSORS)) {
                    Files.copy(folder.resolve(file), temporary.resolve(file));
                }
            } catch (IOException e) {
                throw new FileAccessException("cannot copy " + folder, e);
            }
            Safetensors.write(
                    temporary.resolve("graft.safetensors"),
                    List.of(TensorConversion.data(module + ".psoft_signs", signs)),
                    Map.of());
            return AdapterFiles.load(base, temporary);
        });
    }
}
