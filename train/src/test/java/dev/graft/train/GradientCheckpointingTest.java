package dev.graft.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Routing;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Method;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.bottleneck.Pfeiffer;
import dev.graft.peft.methods.hybrid.Shadow;
import dev.graft.peft.methods.lora.Dora;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.peft.methods.prompt.PrefixTuning;
import dev.graft.peft.methods.scaling.Ia3;
import dev.graft.tensor.Profiler;
import dev.graft.tensor.Tensors;
import dev.graft.train.TrainSettings.Economy;
import dev.graft.train.data.Examples;
import dev.graft.train.loss.Loss;
import dev.graft.train.loss.LossFunction;
import dev.graft.train.loss.Losses;
import dev.graft.train.optim.FlatParameters;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

class GradientCheckpointingTest {
    private static final LoraConfig LORA =
            LoraConfig.DEFAULT.withR(4).withAlpha(8).withDropout(0.3);

    private static float[] gradients(Base base, Method method, Examples rows, boolean checkpointing) {
        Adapter adapter = Adapter.create(base, method, 7);
        FlatParameters parameters = new FlatParameters(adapter.trainable());
        LossFunction lossFunction = Losses.of(
                base,
                0,
                (hooks, batch) -> Economy.NONE.withCheckpointing(checkpointing).pass(hooks));
        try (DataParallel workers = new DataParallel(lossFunction, adapter, parameters, 2)) {
            Loss loss = workers.backward(List.of(rows.batch(new int[] {0, 1, 2, 3}, 0)), 4, 1, 1, false)
                    .loss();
            float[] gradients = Tensors.floats(parameters.gradients());
            float[] all = Arrays.copyOf(gradients, gradients.length + 1);
            all[gradients.length] = (float) loss.sum();
            return all;
        }
    }

    private static void sameBits(Base base, Method method, Examples rows) {
        float[] whole = gradients(base, method, rows, false);
        assertThat(gradients(base, method, rows, true))
                .as("%s of %s", method.type().name(), base.architecture().modelType())
                .isEqualTo(whole);
        assertThat(whole).as("gradients").isNotEqualTo(new float[whole.length]);
    }

    @Test
    void theGradientsAreTheSameToTheLastBitWithDropoutAndForEveryKindOfEffect() {
        Base llama = Tiny.llama();
        Examples counting = Tiny.counting(6, 3);
        for (Method method : List.of(
                new Lora(LORA),
                new Dora(LORA),
                Ia3.DEFAULT,
                Pfeiffer.DEFAULT,
                PrefixTuning.DEFAULT,
                new Shadow(TargetModules.DEFAULT, 4, 0.5, 0.2, false, null, null, null, null, true, null, 0.05))) {
            sameBits(llama, method, counting);
        }
        Examples labelled = Tiny.labelled(6, 3);
        sameBits(Tiny.classifier("large", "small"), new Lora(LORA), labelled);
    }

    @Test
    void everyArchitectureOfTextCanDoIt() {
        Examples counting = Tiny.counting(6, 3);
        for (String name : List.of(
                "gpt2",
                "gpt-bigcode",
                "gpt-neo",
                "opt",
                "opt-behind",
                "bloom",
                "mpt",
                "gpt-neox",
                "stablelm-parallel",
                "rwkv",
                "nemotron-h",
                "qwen3",
                "gemma",
                "gemma2",
                "gemma3",
                "phi3",
                "olmo2",
                "llama4")) {
            sameBits(Base.load(Tiny.BASES.resolve(name)), new Lora(LORA), counting);
        }
        Examples labelled = Tiny.labelled(6, 3);
        for (String name : List.of(
                "deberta-mlm", "deberta-v3-mlm", "modernbert-mlm", "roberta-mlm", "distilbert-mlm", "mpnet-mlm")) {
            Base.Options options = Base.Options.of(Task.SEQ_CLS).withLabels(List.of("large", "small"));
            sameBits(Base.load(Tiny.BASES.resolve(name), options), new Lora(LORA), labelled);
        }
    }

    /** Its router's choices would be kept by the loss. */
    @Test
    void aBalancedMixtureOfExpertsIsRefused() {
        ForwardPass pass = ForwardPass.training(Hooks.NONE).checkpointed();
        assertThatThrownBy(() -> pass.addRouting(new Routing(Tensors.zeros(ScalarType.Float, 4, 2), 1, 0.1)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("gradient_checkpointing runs layers again");
    }

    @Test
    void aProfileNamesOperationsAndLayersAndNothingWhileItIsOff() {
        Base llama = Tiny.llama();
        Examples rows = Tiny.counting(6, 3);
        gradients(llama, new Lora(LORA.withDropout(0)), rows, false);
        assertThat(Profiler.stop()).isEmpty();
        Profiler.start();
        gradients(llama, new Lora(LORA.withDropout(0)), rows, false);
        List<Profiler.Timing> whole = Profiler.stop();
        assertThat(whole)
                .extracting(Profiler.Timing::operation)
                .contains("norm, query, key, value", "attention", "activation, down", "vocabulary head and loss");
        assertThat(whole)
                .filteredOn(entry -> entry.operation().equals("attention"))
                .extracting(Profiler.Timing::layer)
                .containsExactlyInAnyOrder(0, 1);
        assertThat(whole)
                .allSatisfy(entry ->
                        assertThat(entry.forwardNanos() + entry.backwardNanos()).isPositive());
        assertThatThrownBy(() -> Profiler.time("failing", () -> {
                    throw new IllegalStateException("no");
                }))
                .isInstanceOf(IllegalStateException.class);
    }
}
