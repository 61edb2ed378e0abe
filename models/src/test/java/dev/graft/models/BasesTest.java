package dev.graft.models;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Safetensors;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Layer;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Role;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BasesTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "bert-base",
                "bert-mlm",
                "bert-qa",
                "bert-seqcls",
                "bert-tokcls",
                "llama-gqa",
                "llama-mha",
                "llama-seqcls",
                "llama3-rope"
            })
    void hiddenStatesAndLogitsAreThoseOfTheReference(String name) {
        Base base = Base.load(Fixtures.folder(name));
        Fixtures reference = Fixtures.of(name);
        try (Scope scope = new Scope()) {
            Pass pass = Pass.inference(Hooks.NONE).withHiddenStates();
            Hidden hidden = base.hidden(reference.inputs(), pass);

            assertThat(hidden.all()).hasSize(3);
            for (int i = 0; i < 3; i++) {
                reference.assertMatches("hidden_states." + i, hidden.all().get(i));
            }
            Tensor logits = base.logits(hidden, pass);
            if (base.task() == Task.QUESTION_ANS) {
                reference.assertMatches("start_logits", logits.select(2, 0));
                reference.assertMatches("end_logits", logits.select(2, 1));
            } else {
                reference.assertMatches(
                        base.task() == Task.FEATURE_EXTRACTION ? "last_hidden_state" : "logits", logits);
            }
            if (reference.has("logits_with_position_ids_from_mask")) {
                reference.assertMatches(
                        "logits_with_position_ids_from_mask",
                        base.logits(reference.inputs().withPositionsFromMask(), Pass.inference(Hooks.NONE)));
            }
        }
    }

    @Test
    void sitesNameTheModulesOfTheReference() {
        Base llama = Base.load(Fixtures.folder("llama-gqa"));
        Linear key = llama.site(Linear.class, "model.layers.1.self_attn.k_proj");

        assertThat(key).isNotNull();
        assertThat(key.role()).isEqualTo(Role.KEY);
        assertThat(key.layer()).isEqualTo(1);
        assertThat(List.of(key.out(), key.in())).containsExactly(16L, 32L);
        assertThat(llama.site(Layer.class, "model.layers.1")).isNotNull();
        assertThat(llama.parameterCount()).isEqualTo(22_688);
        assertThat(llama.endTokens()).containsExactly(2);
        assertThat(Base.load(Fixtures.folder("bert-qa")).parameterCount()).isEqualTo(23_426);
    }

    @Test
    void savedBaseIsEqualToTheOneItWasSavedFrom(@TempDir Path folder) {
        Base base = Base.load(Fixtures.folder("bert-seqcls"));
        base.save(folder.resolve("saved"));

        Base saved = Base.load(folder.resolve("saved"));
        assertThat(saved.checksum()).isEqualTo(base.checksum());
        assertThat(saved.labels()).isEqualTo(base.labels());
        assertThat(saved.tokenizer().vocabSize()).isEqualTo(base.tokenizer().vocabSize());
        try (var before = Safetensors.open(Fixtures.folder("bert-seqcls").resolve("model.safetensors"));
                var after = Safetensors.open(folder.resolve("saved/model.safetensors"))) {
            assertThat(after.names()).isEqualTo(before.names());
        }
    }

    @Test
    void baseWithOtherParametersLeavesTheFirstAsItIs() {
        Base base = Base.load(Fixtures.folder("llama-gqa"));
        String before = base.checksum();
        Tensor changed = base.parameters().get("model.norm.weight").mul(new Scalar(2.0));

        Base other = base.with(Map.of("model.norm.weight", changed));

        assertThat(base.checksum()).isEqualTo(before);
        assertThat(other.checksum()).isNotEqualTo(before);
        assertThat(Tensors.floats(other.parameters().get("model.norm.weight"))).isEqualTo(Tensors.floats(changed));
        assertThat(other.fingerprint()).isEqualTo(base.fingerprint());
    }
}
