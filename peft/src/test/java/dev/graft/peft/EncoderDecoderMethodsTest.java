package dev.graft.peft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.cache.KvCache;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.methods.bottleneck.BottleneckConfig;
import dev.graft.peft.methods.bottleneck.HyperFormer;
import dev.graft.peft.methods.bottleneck.Pfeiffer;
import dev.graft.peft.methods.lora.AdapterHubLora;
import dev.graft.peft.methods.prompt.AdapterHubPrefix;
import dev.graft.peft.methods.prompt.PrefixTuning;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Methods on an encoder-decoder: its numbers are compared with the references' by the parity cases. */
class EncoderDecoderMethodsTest {
    private static final Base T5 = Base.load(Bases.FIXTURES.resolve("adapterhub/bases/t5"));
    private static final Base BART = Base.load(Bases.FIXTURES.resolve("bases/bart"));
    private static final List<Base> BASES = List.of(T5, BART);
    private static final long[][] SOURCE = {{5, 9, 12, 1}, {30, 8, 6, 1}, {7, 11, 2, 1}};
    private static final long[][] ANSWERS = {{0, 4, 17, 9}, {0, 22, 3, 5}, {0, 6, 6, 21}};
    private static final Pfeiffer CROSS =
            new Pfeiffer(BottleneckConfig.DEFAULT.withCross(true).withReduction(8));
    private static final Method GATED = AdapterHubPrefix.DEFAULT
            .with()
            .tokens(2)
            .flat(true)
            .inside(8)
            .gated(true)
            .build();
    private static final List<Method> METHODS = List.of(
            GATED,
            AdapterHubPrefix.DEFAULT.with().tokens(3).inside(8).build(),
            AdapterHubPrefix.DEFAULT
                    .with()
                    .tokens(2)
                    .flat(true)
                    .inside(8)
                    .encoder(false)
                    .leaveOut(List.of(3))
                    .build(),
            new PrefixTuning(2, null, false),
            CROSS);

    private static Adapter trained(Method method) {
        return Bases.trained(T5, method);
    }

    private static Inputs inputs(int from, int to) {
        return Inputs.of(java.util.Arrays.copyOfRange(SOURCE, from, to))
                .withDecoder(Inputs.of(java.util.Arrays.copyOfRange(ANSWERS, from, to)));
    }

    private static Tensor logits(Base base, Inputs in, Hooks hooks) {
        try (NoGrad noGrad = new NoGrad()) {
            return base.logits(in, ForwardPass.inference(hooks));
        }
    }

    private static double apart(Tensor a, Tensor b) {
        return Tensors.item(a.sub(b).abs().amax());
    }

    /** But for gates, which read all positions of a pass. */
    private static List<Base> bases() {
        return BASES;
    }

    @ParameterizedTest
    @MethodSource("bases")
    void theCacheGivesTheLogitsOfWholePasses(Base base) {
        for (Method method : METHODS.subList(1, METHODS.size())) {
            Hooks hooks = Selection.of(Bases.trained(base, method)).hooks();
            Inputs source = Inputs.of(SOURCE);
            try (NoGrad noGrad = new NoGrad();
                    KvCache cache = new KvCache(4)) {
                List<Tensor> steps = new ArrayList<>();
                for (int i = 0; i < 4; i++) {
                    Inputs next = Inputs.of(new long[][] {{ANSWERS[0][i]}, {ANSWERS[1][i]}, {ANSWERS[2][i]}});
                    steps.add(base.logits(source.withDecoder(next), ForwardPass.cached(hooks, cache)));
                }

                assertThat(apart(Ops.cat(1, steps.toArray(Tensor[]::new)), logits(base, inputs(0, 3), hooks)))
                        .as("%s", method)
                        .isLessThan(2e-5);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("bases")
    void aRowOfAMixedBatchEqualsItsSoloRun(Base base) {
        List<Selection> rows = List.of(
                Selection.of(Bases.trained(base, METHODS.get(1))),
                Selection.all(
                        Selection.of(Bases.trained(base, METHODS.get(3))), Selection.of(Bases.trained(base, CROSS))),
                Selection.BASE);
        Tensor together = logits(base, inputs(0, 3), Selection.rows(rows).hooks());
        for (int row = 0; row < 3; row++) {
            Tensor alone = logits(base, inputs(row, row + 1), rows.get(row).hooks());
            assertThat(apart(together.narrow(0, row, 1), alone))
                    .as("row %d", row)
                    .isLessThan(2e-5);
        }
    }

    @ParameterizedTest
    @MethodSource("bases")
    void aTapeGivesTheGradientsOfAutograd(Base base) {
        for (Method method : METHODS) {
            Adapter adapter = Bases.trained(base, method);
            Hooks hooks = Selection.of(adapter).hooks();
            ForwardPass whole = ForwardPass.inference(hooks);
            base.logits(inputs(0, 3), whole).square().sum().backward();
            Map<String, Tensor> expected = new LinkedHashMap<>();
            adapter.trainable().forEach((key, value) -> {
                expected.put(key, value.grad().clone());
                value.mutable_grad().reset();
            });
            ForwardPass pass = ForwardPass.training(hooks);
            HiddenStates hidden = base.forward(inputs(0, 3), pass);
            base.logits(hidden, pass).square().sum().backward();
            pass.backward();

            adapter.trainable()
                    .forEach((key, value) -> assertThat(
                                    torch.allclose(value.grad(), expected.get(key), 1e-3, 1e-3, false))
                            .as("%s of %s", key, method)
                            .isTrue());
        }
    }

    @Test
    void aCrossAdapterNeedsADecoderThatReadsAnEncoder() {
        assertThat(trained(CROSS).trainableCount()).isEqualTo(6 * (2 * 32 * 4 + 4 + 32));
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.BERT), CROSS, 1))
                .isInstanceOf(InputException.class)
                .hasMessageStartingWith("cross_adapter is true, but bert-seqcls has no decoder");
    }

    @Test
    void layersOfTheDecoderFollowThoseOfTheEncoder() {
        AdapterHubLora lora = AdapterHubLora.DEFAULT
                .with()
                .r(2)
                .alpha(2)
                .attention(List.of("q"))
                .leaveOut(List.of(0, 1, 3))
                .build();

        assertThat(Adapter.create(T5, lora, 1).trainable().keySet())
                .allMatch(key -> key.startsWith("decoder.block.0."))
                .hasSize(4);
        assertThatThrownBy(() -> Adapter.create(T5, new Pfeiffer(BottleneckConfig.DEFAULT.withLeaveOut(List.of(4))), 1))
                .hasMessageContaining("leave_out has layer 4")
                .hasMessageContaining("has 4 layers");
    }

    @Test
    void aHypernetworkLeavesCrossAttentionAlone() {
        assertThat(Adapter.create(T5, HyperFormer.DEFAULT, 1).sites().stream().map(site -> site.name()))
                .isNotEmpty()
                .noneMatch(name -> name.endsWith("layer.1") && name.startsWith("decoder"));
    }

    @Test
    void aSplitCountsThePositionsOfOneText() {
        Selection one = Selection.of(trained(CROSS));

        assertThatThrownBy(() -> Selection.split(List.of(one, one), List.of(2, 2)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("is an encoder-decoder");
    }
}
