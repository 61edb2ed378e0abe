package dev.graft.peft;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.peft.methods.hybrid.Union;
import dev.graft.peft.methods.lora.Dora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.peft.methods.orthogonal.Oft;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CachedValueTest {
    private int made;

    @Test
    void isMadeAnewUntilItIsKept() {
        try (Scope scope = new Scope()) {
            Tensor parameter = Tensors.ones(ScalarType.Float, 3).set_requires_grad(true);
            CachedValue twice = new CachedValue(() -> {
                made++;
                return Ops.scale(parameter, 2);
            });

            assertThat(twice.value().requires_grad()).isTrue();
            try (NoGrad noGrad = new NoGrad()) {
                parameter.add_(new Scalar(1));
                assertThat(Tensors.floats(twice.value())).containsExactly(4, 4, 4);
            }
            assertThat(made).isEqualTo(2);
            assertThat(twice.bytes()).isZero();

            twice.cache();
            try (Scope pass = new Scope()) {
                twice.value();
            }
            assertThat(Tensors.floats(twice.value())).containsExactly(4, 4, 4);
            assertThat(twice.value().requires_grad()).isFalse();
            assertThat(made).isEqualTo(3);
            assertThat(twice.bytes()).isEqualTo(12);
        }
    }

    @Test
    void aFrozenAdapterStaysFrozenWhenItIsSavedOrTakenApart(@TempDir Path folder) {
        Union both = new Union(List.of(new Dora(LoraConfig.DEFAULT.withR(2).withAlpha(4)), Oft.DEFAULT));
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), both, 1);
        long parameters = adapter.bytes();
        adapter.freeze();
        adapter.save(folder.resolve("adapter"));
        Adapter part = adapter.part(both.parts().get(0));

        assertThat(adapter.bytes()).isGreaterThan(parameters);
        assertThat(part.bytes())
                .isGreaterThan(part.parameters().values().stream()
                        .mapToLong(parameter -> parameter.value().nbytes())
                        .sum());
        for (Adapter each : List.of(adapter, part)) {
            assertThat(each.trainable().values()).noneMatch(Tensor::requires_grad);
        }
    }
}
