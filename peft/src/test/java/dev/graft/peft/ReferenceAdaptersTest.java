package dev.graft.peft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorSource;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.checkpoints.TensorConversion;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.heads.HiddenStates;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Folders that PEFT and AdapterHub wrote give the outputs that those computed. */
class ReferenceAdaptersTest {
    private static Tensor read(TensorSource file, String name) {
        return Tensors.of(
                file.bytes(name),
                TensorConversion.type(file.info(name)),
                file.info(name).shape());
    }

    private static Inputs inputs(TensorSource file) {
        Tensor types = file.names().contains("token_type_ids") ? read(file, "token_type_ids") : null;
        return new Inputs(read(file, "input_ids"), read(file, "attention_mask"), types, null);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "bert-seqcls/lora",
                "bert-seqcls/dora",
                "bert-seqcls/bitfit-like",
                "bert-seqcls/ia3",
                "bert-qa/ia3",
                "bert-tokcls/ia3",
                "bert-seqcls/prompt-tuning",
                "bert-qa/prompt-tuning",
                "bert-tokcls/prompt-tuning",
                "llama-gqa/lora",
                "llama-gqa/dora",
                "llama-gqa/ia3",
                "llama-gqa/prefix-tuning",
                "llama-gqa/prefix-tuning-projection",
                "llama-gqa/prompt-tuning",
                "llama-mha/lora-embedding"
            })
    void givesWhatPeftComputes(String name, @TempDir Path temporary) {
        String baseName = name.substring(0, name.indexOf('/'));
        Base base = Bases.load(baseName);
        Path folder = Bases.FIXTURES.resolve("adapters/" + name);
        Adapter adapter = Adapter.load(base, folder);
        try (Safetensors reference = Safetensors.open(folder.resolve("reference.safetensors"));
                Safetensors input = Safetensors.open(
                        Bases.FIXTURES.resolve("bases/" + baseName).resolve("reference.safetensors"))) {
            ForwardPass pass = ForwardPass.inference(Selection.of(adapter).hooks());
            HiddenStates hidden = base.forward(inputs(input), pass);
            Tensor logits = base.logits(hidden, pass);
            boolean spans = reference.names().contains("start_logits");
            Tensor expected = read(reference, spans ? "start_logits" : "logits");
            Tensor found = spans ? logits.select(2, 0) : logits;
            if (spans) {
                expected = expected.mul(hidden.mask());
                found = found.mul(hidden.mask());
            }

            assertThat(Bases.difference(found, expected, hidden.mask()))
                    .isLessThan(1e-5 + 1e-4 * Tensors.item(expected.abs().amax()));
        }
        adapter.save(temporary.resolve("again"));
        assertThat(Adapter.load(base, temporary.resolve("again")).trainableCount())
                .isEqualTo(adapter.trainableCount());
    }

    @ParameterizedTest
    @CsvSource({
        "seq_bn, 584",
        "bare_seq_bn, 584",
        "act_gelu, 584",
        "act_gelu_new, 584",
        "act_tanh, 584",
        "scaling_half, 584",
        "reduction_below_one, 8384",
        "reduction_huge, 194",
        "reduction_not_dividing, 844",
        "double_seq_bn, 1168",
        "par_bn, 2144",
        "scaled_par_bn, 586",
        "scaling_channel, 1296",
        "adapter_plus, 648",
        "gated_bn, 1300",
        "ln_before, 712",
        "ln_after_residual_before, 712",
        "residual_after_ln, 584",
        "residual_post_add, 584",
        "no_ln_after_double, 1168",
        "compacter, 544",
        "compacterpp, 304",
        "phm_factored_rule, 512",
        "phm_own_rule, 992",
        "phm_shared_W, 304",
        "phm_unfactored, 400",
        "seq_bn_inv, 1144",
        "loreft, 520",
        "loreft_suffix, 520",
        "loreft_tied, 260"
    })
    void givesWhatAdapterHubComputesOnAnEncoder(String name, long trained) {
        Path folder = Bases.FIXTURES.resolve("adapterhub/adapters/bert/" + name);
        Base base =
                Base.load(Bases.FIXTURES.resolve("adapterhub/bases/bert"), Base.Options.of(Task.FEATURE_EXTRACTION));
        Adapter adapter = Adapter.load(base, folder);
        try (Safetensors reference = Safetensors.open(folder.resolve("reference.safetensors"))) {
            Inputs in = inputs(reference);
            HiddenStates hidden =
                    base.forward(in, ForwardPass.inference(Selection.of(adapter).hooks()));

            assertThat(adapter.trainableCount()).isEqualTo(trained);
            assertThat(Bases.difference(hidden.last(), read(reference, "last_hidden_state"), in.mask()))
                    .isLessThan(2e-5);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"seq_bn", "compacter", "seq_bn_inv", "adapter_plus", "loreft"})
    void givesWhatAdapterHubComputesOnADecoder(String name) {
        Path folder = Bases.FIXTURES.resolve("adapterhub/adapters/llama/" + name);
        Base base = Base.load(Bases.FIXTURES.resolve("adapterhub/bases/llama"));
        Adapter adapter = Adapter.load(base, folder);
        try (Safetensors reference = Safetensors.open(folder.resolve("reference.safetensors"))) {
            Inputs in = inputs(reference);
            Tensor logits =
                    base.logits(in, ForwardPass.inference(Selection.of(adapter).hooks()));

            assertThat(Bases.difference(logits, read(reference, "logits"), in.mask()))
                    .isLessThan(1e-4);
        }
    }

    @Test
    void readsAHeadThatAdapterHubSavedBesideTheAdapter(@TempDir Path temporary) {
        Path folder = Bases.FIXTURES.resolve("adapterhub/adapters/bert/static_seq_bn");
        Base base = Base.load(Bases.FIXTURES.resolve("adapterhub/bases/bert"));
        Adapter adapter = Adapter.load(base, folder);
        adapter.save(temporary.resolve("again"));
        Adapter again = Adapter.load(base, temporary.resolve("again"));
        try (Safetensors reference = Safetensors.open(folder.resolve("reference.safetensors"))) {
            Tensor expected = read(reference, "logits");
            for (Adapter each : new Adapter[] {adapter, again}) {
                Tensor logits = base.logits(
                        inputs(reference),
                        ForwardPass.inference(Selection.of(each).hooks()));
                assertThat(Tensors.item(logits.sub(expected).abs().amax())).isLessThan(2e-5);
            }
        }
        assertThat(temporary.resolve("again").toFile().list())
                .containsExactlyInAnyOrder(
                        "adapter_config.json",
                        "adapter.safetensors",
                        "head_config.json",
                        "model_head.safetensors",
                        "graft.json");
    }

    @Test
    void refusesAFlexibleHeadAndSaysWhatToDo() {
        Base base = Base.load(Bases.FIXTURES.resolve("adapterhub/bases/bert"));

        assertThatThrownBy(() -> Adapter.load(base, Bases.FIXTURES.resolve("adapterhub/adapters/bert/seq_bn")))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("head_config.json")
                .hasMessageContaining("without a head");
    }
}
