package dev.graft.peft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.FormatException;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.StagingBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ReadAheadTest {
    @TempDir
    private Path folder;

    /** In the expected type or another one: then nothing is left of the expected one's rounding. */
    @ParameterizedTest
    @EnumSource(names = {"Float", "BFloat16", "Half", "Double", "Long"})
    void whatIsAskedForBackwardsWhileItIsReadForwardsIsWhatTheFileHolds(ScalarType expected) {
        for (int round = 0; round < 20; round++) {
            try (Safetensors file = file(300);
                    ReadAhead ahead = new ReadAhead(List.of(file), expected);
                    StagingBuffer staging = new StagingBuffer()) {
                List<FileTensor> tensors = ahead.tensors();
                for (int i = tensors.size() - 1; i >= 0; i--) {
                    assertThat(Tensors.floats(tensors.get(i).value(ScalarType.Float, staging)))
                            .startsWith(Float.parseFloat(tensors.get(i).name()))
                            .hasSize(1000);
                }
            }
        }
    }

    @Test
    void aTensorThatIsAskedForTwiceIsThereTwice() {
        try (Safetensors file = file(1);
                ReadAhead ahead = new ReadAhead(List.of(file), ScalarType.Float);
                StagingBuffer staging = new StagingBuffer()) {
            FileTensor tensor = ahead.tensors().get(0);
            var first = tensor.value(ScalarType.Float, staging);
            var second = tensor.value(ScalarType.Float, staging);
            first.zero_();
            assertThat(Tensors.floats(second)).startsWith(0.5f);
        }
    }

    @Test
    void whatIsWrongIsToldToWhoeverAsks() {
        Path path = folder.resolve("wrong");
        Safetensors.write(path, List.of(TensorData.of("a", new float[] {1, Float.NaN}, 2)), Map.of());
        try (Safetensors file = Safetensors.open(path);
                ReadAhead ahead = new ReadAhead(List.of(file), ScalarType.Float);
                StagingBuffer staging = new StagingBuffer()) {
            assertThatThrownBy(() -> ahead.tensors().get(0).value(ScalarType.Float, staging))
                    .isInstanceOf(FormatException.class)
                    .hasMessageContaining("a has values that are not finite");
        }
    }

    private Safetensors file(int count) {
        List<TensorData> tensors = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            float[] values = new float[1000];
            values[0] = i + 0.5f;
            tensors.add(TensorData.of(String.valueOf(values[0]), values, values.length));
        }
        Path path = folder.resolve("tensors");
        Safetensors.write(path, tensors, Map.of());
        return Safetensors.open(path);
    }
}
