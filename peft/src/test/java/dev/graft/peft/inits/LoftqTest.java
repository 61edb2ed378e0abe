package dev.graft.peft.inits;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Safetensors;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.matrices.Quantization;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Role;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Factors;
import dev.graft.peft.Merge;
import dev.graft.peft.Selection;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LoftqTest {
    private Scope scope;

    @BeforeEach
    void open() {
        scope = new Scope();
    }

    @AfterEach
    void close() {
        scope.close();
    }

    private static Base load(Quantization kind) {
        Path folder = Bases.FIXTURES.resolve("bases/" + Bases.LLAMA);
        return Base.load(Bases.LLAMA, folder, Base.Options.DEFAULT.withQuantization(kind));
    }

    private static Adapter create(Base base, Loftq init) {
        return Adapter.create(
                base, new Lora(LoraConfig.DEFAULT.withR(8).withAlpha(8).withInit(init)), 1);
    }

    private static Tensor logits(Base base, Hooks hooks) {
        return base.logits(Bases.batch(), ForwardPass.inference(hooks));
    }

    private static double distance(Tensor a, Tensor b) {
        return Tensors.item(a.sub(b).abs().mean());
    }

    @ParameterizedTest
    @CsvSource({"4, 1", "4, 3", "8, 1"})
    void makesOfAWholeMatrixWhatPeftMakes(int bits, int iterations) {
        try (Safetensors file = Safetensors.open(Bases.FIXTURES.resolve("starts/loftq.safetensors"))) {
            Linear site = new Linear("layer", Role.UP, 0, read(file, "weight"), null);
            InitContext context = new InitContext(site, 4, 1, Rng.of(1, "none"), site::weight, null);
            Loftq loftq = new Loftq(bits, iterations);
            String name = "bits" + bits + ".iter" + iterations;
            assertThat(largest(loftq.rounded(context), read(file, name + ".weight")))
                    .isLessThan(1e-6);
            Factors found = loftq.factors(context);
            assertThat(largest(found.b().matmul(found.a()), read(file, name + ".update")))
                    .isLessThan(1e-5);
        }
    }

    private static double largest(Tensor a, Tensor b) {
        return Tensors.item(a.sub(b).abs().amax());
    }

    private static Tensor read(Safetensors file, String name) {
        return Tensors.of(file.bytes(name), ScalarType.Float, file.info(name).shape());
    }

    @ParameterizedTest
    @CsvSource({"NF4, 4", "FP4, 4", "INT8, 8"})
    void bringsAQuantisedBaseNearerToWhatItWas(Quantization kind, int bits) {
        Base whole = Bases.load(Bases.LLAMA);
        Base base = load(kind);
        Adapter adapter = create(base, new Loftq(bits, 1));
        double before = distance(logits(base, Hooks.NONE), logits(whole, Hooks.NONE));
        double after = distance(logits(base, Selection.of(adapter).hooks()), logits(whole, Hooks.NONE));
        assertThat(after).isLessThan(before);
    }

    @ParameterizedTest
    @CsvSource({"NF4, 1", "NONE, 1", "NONE, 3"})
    void isTheSameAfterSavingAndLoading(Quantization kind, int iterations, @TempDir Path folder) {
        Base base = load(kind);
        Adapter adapter = create(base, new Loftq(4, iterations));
        adapter.save(folder.resolve("adapter"));
        Adapter loaded = Adapter.load(base, folder.resolve("adapter"));
        assertThat(largest(
                        logits(base, Selection.of(loaded).hooks()),
                        logits(base, Selection.of(adapter).hooks())))
                .isLessThan(1e-5);
    }

    @Test
    void onAWholeBaseRoundedWeightsTakeThePlaceOfItsOwn() {
        Base base = load(Quantization.NONE);
        Adapter adapter = create(base, new Loftq(4, 2));
        String before = base.checksum();
        Tensor adapted = logits(base, Selection.of(adapter).hooks());
        assertThat(distance(adapted, logits(base, Hooks.NONE))).isGreaterThan(1e-4);
        assertThat(largest(logits(Merge.merge(adapter), Hooks.NONE), adapted)).isLessThan(1e-4);
        assertThat(base.checksum()).isEqualTo(before);
    }

    @Test
    void refusesWhatTheBaseIsNot() {
        assertThatThrownBy(() -> create(load(Quantization.NF4), new Loftq(8, 1)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("8 bits")
                .hasMessageContaining("nf4");
        assertThatThrownBy(() -> create(load(Quantization.NF4), new Loftq(4, 2)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("2 iterations");
        assertThatThrownBy(() -> Adapter.create(
                        load(Quantization.NF4), new Lora(LoraConfig.DEFAULT.withInit(LoraInits.of("pissa"))), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("takes the base's weight apart")
                .hasMessageContaining("loftq");
    }
}
