package dev.graft.peft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.methods.bottleneck.Pfeiffer;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.peft.methods.prompt.PrefixTuning;
import dev.graft.peft.methods.prompt.PromptTuning;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Encoder-decoders that classify or find answers; their numbers and those of LoRA on them are compared with the references' by the parity cases. */
class EncoderDecoderHeadsTest {
    private static final Lora LORA = new Lora(LoraConfig.DEFAULT);
    private static final List<Method> METHODS = List.of(
            LORA,
            new PromptTuning(3, PromptTuning.Init.RANDOM, null, null),
            new PrefixTuning(2, null, false),
            Pfeiffer.DEFAULT);
    private static final long[][] TEXTS = {{5, 9, 12, 2}, {30, 8, 6, 2}};

    private static Base base(String name) {
        return Base.load(Bases.FIXTURES.resolve("bases/" + name));
    }

    private static double apart(Tensor a, Tensor b) {
        return Tensors.item(a.sub(b).abs().amax());
    }

    private static Tensor squares(Base base, Adapter adapter, Inputs in) {
        return base.logits(in, ForwardPass.inference(Selection.of(adapter).hooks()))
                .square();
    }

    private static Map<String, Tensor> gradients(Adapter adapter) {
        Map<String, Tensor> gradients = new LinkedHashMap<>();
        adapter.trainable()
                .forEach((key, value) -> gradients.put(key, value.grad().clone()));
        return gradients;
    }

    /** Tokens of a prompt have logits too where tokens are classified. */
    private static Tensor ofTexts(Tensor logits) {
        long width = TEXTS[0].length;
        return logits.dim() == 2 ? logits : logits.narrow(1, logits.size(1) - width, width);
    }

    @ParameterizedTest
    @ValueSource(strings = {"t5-seqcls", "umt5-tokcls", "mt5-qa", "bart-seqcls", "bart-qa"})
    void methodsTrainAndAreReadAgain(String name, @TempDir Path folder) {
        Base base = base(name);
        Base wide = Base.load(
                Bases.FIXTURES.resolve("bases/" + name),
                Base.Options.of(base.task()).withNumerics(new Numerics(ScalarType.Double)));
        Inputs in = Inputs.of(TEXTS);
        for (Method method : METHODS) {
            Adapter inDouble = Bases.trained(wide, method);
            squares(wide, inDouble, in).sum().backward();
            Map<String, Tensor> exact = gradients(inDouble);
            Adapter adapter = Bases.trained(base, method);
            Tensor logits =
                    base.logits(in, ForwardPass.inference(Selection.of(adapter).hooks()));
            squares(base, adapter, in).sum().backward();
            Map<String, Tensor> graph = gradients(adapter);
            adapter.trainable().values().forEach(value -> value.mutable_grad().reset());
            ForwardPass pass = ForwardPass.training(Selection.of(adapter).hooks());
            HiddenStates hidden = base.forward(in, pass);
            base.logits(hidden, pass).square().sum().backward();
            pass.backward();

            // Some of these small models make what fp32 rounds larger by a thousand: the formulas may be as far from
            // the exact gradient as the graph.
            gradients(adapter)
                    .forEach((key, gradient) -> assertThat(apart(gradient, exact.get(key)))
                            .as("%s of %s", key, method)
                            .isLessThan(1e-6
                                    + 1e-4 * Tensors.item(exact.get(key).abs().amax())
                                    + apart(graph.get(key), exact.get(key))));

            Path saved = folder.resolve(method.type().name());
            adapter.save(saved);
            Adapter read = Adapter.load(base, saved);
            assertThat(apart(
                            base.logits(
                                    in, ForwardPass.inference(Selection.of(read).hooks())),
                            logits))
                    .as("%s", method)
                    .isZero();
            assertThat(apart(base.logits(in, ForwardPass.inference(Hooks.NONE)), ofTexts(logits)))
                    .as("%s", method)
                    .isGreaterThan(1e-3);
        }
    }

    @Test
    void aSequencesHeadIsTrainedUnderItsOwnName() {
        Adapter adapter = Adapter.create(base("t5-seqcls"), LORA, 1);

        assertThat(adapter.config().modulesToSave()).containsExactly("classifier", "score", "classification_head");
        assertThat(adapter.trainable())
                .containsKeys(
                        "classification_head.dense.weight",
                        "classification_head.out_proj.bias",
                        "transformer.decoder.block.2.layer.1.EncDecAttention.q.lora_A.weight");
    }

    @Test
    void aDecoderReadsTheTextItselfOnlyWhereItClassifies() {
        Path files = Bases.FIXTURES.resolve("bases/mt5");
        Base classifier = Base.load(files, Base.Options.of(Task.SEQ_CLS));
        Base tagger = Base.load(files, Base.Options.of(Task.TOKEN_CLS));

        assertThat(classifier.isEncoderDecoder()).isTrue();
        assertThat(tagger.isEncoderDecoder()).isFalse();
        assertThat(Tensors.shape(classifier.logits(Inputs.of(TEXTS), ForwardPass.inference(Hooks.NONE))))
                .containsExactly(2, 2);
        assertThat(Tensors.shape(tagger.logits(Inputs.of(TEXTS), ForwardPass.inference(Hooks.NONE))))
                .containsExactly(2, 4, 2);
        assertThatThrownBy(() -> base("mt5").logits(Inputs.of(TEXTS), ForwardPass.inference(Hooks.NONE)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("needs the ids that its decoder has seen");
    }
}
