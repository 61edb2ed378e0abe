package dev.graft.peft.convert;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Method;
import dev.graft.peft.Selection;
import dev.graft.peft.TargetModules;
import dev.graft.peft.inits.LoraInits;
import dev.graft.peft.methods.lora.Alora;
import dev.graft.peft.methods.lora.Dora;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.peft.methods.scaling.Ia3;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LoraConversionTest {
    private static final LoraConfig FOUR = LoraConfig.DEFAULT.withR(4).withAlpha(8);

    private static Adapter trained(String base, Method method) {
        Adapter adapter = Adapter.create(Bases.load(base), method, 1);
        try (NoGrad noGrad = new NoGrad()) {
            adapter.trainable()
                    .forEach((key, value) -> value.add_(Rng.of(2, key).normal(0, 0.1, Tensors.shape(value))));
        }
        return adapter;
    }

    private static double apart(Adapter a, Adapter b) {
        Base base = a.base();
        Tensor one =
                base.logits(Bases.batch(), ForwardPass.inference(Selection.of(a).hooks()));
        Tensor other =
                base.logits(Bases.batch(), ForwardPass.inference(Selection.of(b).hooks()));
        return Bases.difference(one, other, Bases.batch().mask());
    }

    @Test
    void losesNothingWhereNoRankIsGiven(@TempDir Path folder) {
        Adapter pissa = trained(Bases.LLAMA, new Lora(FOUR.withInit(LoraInits.of("pissa"))));
        LoraConversion conversion = LoraConversion.of(pissa, null);

        assertThat(((Lora) conversion.adapter().method()).config().r()).isEqualTo(8);
        assertThat(conversion.error()).isLessThan(1e-6);
        assertThat(apart(conversion.adapter(), pissa)).isLessThan(5e-5);
        conversion.adapter().save(folder.resolve("lora"));
        assertThat(apart(Adapter.load(pissa.base(), folder.resolve("lora")), pissa))
                .isLessThan(5e-5);
    }

    @Test
    void saysHowFarItIs() {
        Adapter dora = trained(Bases.LLAMA, new Dora(FOUR));
        LoraConversion coarse = LoraConversion.of(dora, 2);
        LoraConversion finer = LoraConversion.of(dora, 8);
        LoraConversion whole = LoraConversion.of(dora, 32);

        assertThat(coarse.error()).isGreaterThan(finer.error()).isLessThan(1);
        assertThat(finer.error()).isGreaterThan(whole.error());
        assertThat(whole.error()).isLessThan(1e-6);
        assertThat(apart(whole.adapter(), dora)).isLessThan(5e-5);
        assertThat(apart(coarse.adapter(), dora)).isGreaterThan(apart(finer.adapter(), dora));
        assertThat(coarse.errors()).hasSize(14);
        coarse.errors().values().forEach(error -> assertThat(error).isBetween(0.0, 1.0));
    }

    /** Eckart and Young: nothing of rank 1 is nearer than the first singular triplet. */
    @Test
    void isTheNearestOfItsRank() {
        Adapter lora =
                trained(Bases.LLAMA, new Lora(FOUR.withTargets(TargetModules.regex(".*0\\.self_attn\\.q_proj"))));
        double[] values;
        try (NoGrad noGrad = new NoGrad()) {
            Tensor change = lora.value("model.layers.0.self_attn.q_proj.lora_B.weight")
                    .matmul(lora.value("model.layers.0.self_attn.q_proj.lora_A.weight"));
            values = Tensors.doubles(org.bytedeco.pytorch.global.torch.linalg_svdvals(
                    change, new org.bytedeco.pytorch.StringViewOptional()));
        }
        double all = 0;
        double rest = 0;
        for (int i = 0; i < values.length; i++) {
            all += values[i] * values[i];
            rest += i == 0 ? 0 : values[i] * values[i];
        }

        assertThat(LoraConversion.of(lora, 1).error())
                .isCloseTo(Math.sqrt(rest / all), org.assertj.core.data.Offset.offset(1e-4));
    }

    @Test
    void keepsTheHeadAndBiases() {
        Adapter classifier = trained(Bases.BERT, Ia3.DEFAULT);
        LoraConversion conversion = LoraConversion.of(classifier, null);

        assertThat(conversion.adapter().config().modulesToSave()).contains("classifier");
        assertThat(apart(conversion.adapter(), classifier)).isLessThan(5e-5);
    }

    @Test
    void convertsEmbeddingsAndHeadsTiedToThem() {
        LoraConfig embedding = FOUR.withTargets(TargetModules.names("embed_tokens", "q_proj"));
        Adapter lora = trained(Bases.TIED, new Lora(embedding));

        assertThat(apart(LoraConversion.of(lora, null).adapter(), lora)).isLessThan(5e-5);
    }

    @Test
    void refusesWhatIsNoUpdateOfWeights() {
        Adapter alora = trained(Bases.LLAMA, new Alora(FOUR, List.of(41)));
        assertThatThrownBy(() -> LoraConversion.of(alora, 4))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("alora can't be merged");
        Adapter fresh = Adapter.create(Bases.load(Bases.LLAMA), new Lora(FOUR), 1);
        assertThatThrownBy(() -> LoraConversion.of(fresh, 4))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("changes no weight");
        assertThatThrownBy(() -> LoraConversion.of(fresh, 0)).isInstanceOf(InputException.class);
        Adapter coarse = Adapter.create(Bases.load(Bases.LLAMA, Numerics.BF16), new Dora(FOUR), 1);
        assertThatThrownBy(() -> LoraConversion.of(coarse, 4))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("bf16");
    }
}
