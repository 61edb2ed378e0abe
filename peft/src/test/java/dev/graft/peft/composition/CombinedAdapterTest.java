package dev.graft.peft.composition;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.InputException;
import dev.graft.models.forward.ForwardPass;
import dev.graft.peft.Adapter;
import dev.graft.peft.AdapterConfig;
import dev.graft.peft.Bases;
import dev.graft.peft.Method;
import dev.graft.peft.Selection;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.bottleneck.BottleneckConfig;
import dev.graft.peft.methods.bottleneck.Pfeiffer;
import dev.graft.peft.methods.lora.AdapterHubLora;
import dev.graft.peft.methods.lora.Dora;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.peft.methods.scaling.Ia3;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class CombinedAdapterTest {
    private static final LoraConfig FOUR =
            LoraConfig.DEFAULT.withR(4).withAlpha(12).withTargets(TargetModules.names("q_proj", "down_proj"));
    private static final LoraConfig TWO =
            LoraConfig.DEFAULT.withR(2).withAlpha(3).withTargets(TargetModules.names("q_proj"));
    private static final CombinationSettings ALL =
            new CombinationSettings(1, 0, 0, CombinationSettings.Election.TOTAL, MaskSampler.of(3));

    private static Adapter trained(String base, Method method, long seed) {
        Adapter adapter = Adapter.create(Bases.load(base), method, seed);
        try (NoGrad noGrad = new NoGrad()) {
            adapter.trainable()
                    .forEach((key, value) -> value.add_(Rng.of(seed, key).normal(0, 0.1, Tensors.shape(value))));
        }
        return adapter;
    }

    private static Adapter lora(LoraConfig config, long seed) {
        return trained(Bases.LLAMA, new Lora(config), seed);
    }

    private static CombinedAdapter combined(Combination combination, List<Adapter> adapters, List<Double> weights) {
        return CombinedAdapter.of(adapters, weights, combination, ALL.withDensity(0.5), null);
    }

    private static double apart(Selection a, Selection b, Adapter on) {
        Tensor one = on.base().logits(Bases.batch(), ForwardPass.inference(a.hooks()));
        Tensor other = on.base().logits(Bases.batch(), ForwardPass.inference(b.hooks()));
        return Bases.difference(one, other, Bases.batch().mask());
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "AVERAGE")
    void oneAdapterOfFullDensityStaysWhatItIs(Combination combination) {
        LoraConfig rslora = new LoraConfig(
                4,
                12,
                0,
                true,
                TargetModules.names("q_proj"),
                Map.of(),
                Map.of(),
                FOUR.bias(),
                false,
                FOUR.init(),
                Map.of(),
                null,
                false,
                false,
                null);
        Adapter one = lora(rslora, 1);
        CombinedAdapter same = CombinedAdapter.of(List.of(one), List.of(1.0), combination, ALL, null);

        assertThat(same.error()).isLessThan(1e-6);
        assertThat(apart(Selection.of(same.adapter()), Selection.of(one), one)).isLessThan(5e-5);
        assertThat(((Lora) same.adapter().method()).config().r()).isEqualTo(4);
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.MATCH_NONE, names = "(AVERAGE|DARE|DELLA).*")
    void aWeightAndItsNegativeCancel(Combination combination) {
        Adapter one = lora(TWO, 1);

        assertThatThrownBy(() -> combined(combination, List.of(one, one), List.of(0.7, -0.7)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("change no weight");
    }

    @Test
    void aSumIsExactWhateverTheRanksAndModules() {
        Adapter a = lora(FOUR, 1);
        Adapter b = lora(TWO, 2);
        Selection sum = Selection.all(Selection.of(a, 0.7), Selection.of(b, -0.6));
        CombinedAdapter linear = combined(Combination.LINEAR, List.of(a, b), List.of(0.7, -0.6));

        assertThat(linear.error()).isLessThan(1e-6);
        assertThat(apart(Selection.of(linear.adapter()), sum, a)).isLessThan(5e-5);
        LoraConfig config = ((Lora) linear.adapter().method()).config();
        assertThat(config.rank("model.layers.0.self_attn.q_proj")).isEqualTo(6);
        assertThat(config.rank("model.layers.0.mlp.down_proj")).isEqualTo(4);
        CombinedAdapter cut = combined(Combination.SVD, List.of(a, b), List.of(0.7, -0.6));
        assertThat(((Lora) cut.adapter().method()).config().r()).isEqualTo(4);
        assertThat(cut.error()).isBetween(0.001, 1.0);
        CombinedAdapter whole = CombinedAdapter.of(List.of(a, b), List.of(0.7, -0.6), Combination.SVD, ALL, 6);
        assertThat(whole.error()).isLessThan(1e-6);
    }

    @ParameterizedTest
    @EnumSource(names = {"LINEAR", "TIES", "MAGNITUDE_PRUNE", "BREADCRUMBS_TIES"})
    void theOrderOfAdaptersDoesNotMatter(Combination combination) {
        Adapter a = lora(FOUR, 1);
        Adapter b = lora(TWO, 2);
        Adapter there = combined(combination, List.of(a, b), List.of(0.9, 0.4)).adapter();
        Adapter back = combined(combination, List.of(b, a), List.of(0.4, 0.9)).adapter();

        assertThat(apart(Selection.of(there), Selection.of(back), a)).isLessThan(5e-5);
    }

    @Test
    void adaptersOfOtherMethodsBecomeLoraToo() {
        Adapter dora = trained(Bases.LLAMA, new Dora(TWO), 1);
        Adapter lora = lora(TWO, 2);
        assertThatThrownBy(() -> combined(Combination.SVD, List.of(dora, lora), List.of(1.0, 1.0)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("dora has no rank");
        CombinedAdapter both =
                CombinedAdapter.of(List.of(dora, lora), List.of(1.0, 0.5), Combination.LINEAR, ALL, null);

        assertThat(both.error()).isLessThan(1e-6);
        assertThat(both.similarity()).isNotNull();
        assertThat(both.similarity().cosines().get(0).get(0)).isCloseTo(1, within(1e-9));
        assertThat(both.similarity().conflicts()).isBetween(0.3, 0.7);
    }

    @Test
    void sumsOfVectorsStayVectors() {
        Adapter a = trained(Bases.LLAMA, Ia3.DEFAULT, 1);
        Adapter b = trained(Bases.LLAMA, Ia3.DEFAULT, 2);
        Adapter sum =
                combined(Combination.LINEAR, List.of(a, b), List.of(0.7, 0.4)).adapter();

        assertThat(sum.method()).isInstanceOf(Ia3.class);
        Selection exact =
                Selection.average(List.of(Selection.of(a), Selection.of(b), Selection.BASE), List.of(0.7, 0.4, -0.1));
        assertThat(apart(Selection.of(sum), exact, a)).isLessThan(5e-5);
    }

    @Test
    void headsBecomeTheirMean(@TempDir Path folder) {
        LoraConfig config = TWO.withTargets(TargetModules.names("query"));
        Adapter a = trained(Bases.BERT, new Lora(config), 1);
        Adapter b = trained(Bases.BERT, new Lora(config), 2);
        Adapter both =
                combined(Combination.TIES, List.of(a, b), List.of(1.0, 3.0)).adapter();

        Tensor mean = Ops.addScaled(Ops.scale(a.value("classifier.weight"), 0.25), b.value("classifier.weight"), 0.75);
        assertThat(Tensors.item(both.value("classifier.weight").sub(mean).abs().amax()))
                .isLessThan(1e-6);
        assertThatThrownBy(() -> combined(Combination.LINEAR, List.of(a, b), List.of(1.0, -1.0)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("sum to 0");
        both.save(folder.resolve("both"));
        assertThat(apart(Selection.of(Adapter.load(a.base(), folder.resolve("both"))), Selection.of(both), a))
                .isLessThan(1e-6);
    }

    @Test
    void modulesThatOnlyOneAdapterSavesWholeAreNeverDropped() {
        Adapter plain = lora(TWO, 1);
        for (String module : List.of("lm_head", "input_layernorm")) {
            AdapterConfig config = plain.config().withModulesToSave(List.of(module));
            Adapter whole = Adapter.create(plain.base(), config, 2);
            try (NoGrad noGrad = new NoGrad()) {
                plain.parameters().forEach((key, parameter) -> whole.value(key).copy_(parameter.value()));
            }
            for (List<Adapter> order : List.of(List.of(plain, whole), List.of(whole, plain))) {
                assertThatThrownBy(() -> combined(Combination.LINEAR, order, List.of(0.5, 0.5)))
                        .isInstanceOf(InputException.class)
                        .hasMessageContaining("don't fit each other")
                        .hasMessageContaining(module + ".weight [");
            }
            assertThat(combined(Combination.LINEAR, List.of(whole, whole), List.of(0.5, 0.5))
                            .adapter()
                            .config()
                            .modulesToSave())
                    .containsExactly(module);
        }
    }

    @Test
    void vectorsOfInputsAndOfOutputsAreSummedAsUpdates() {
        TargetModules square = TargetModules.names("o_proj");
        Adapter outputs = trained(
                Bases.LLAMA, Ia3.DEFAULT.withTargets(square).withFeedForward(new Ia3.FeedForward(List.of(), null)), 1);
        Adapter inputs = trained(
                Bases.LLAMA,
                Ia3.DEFAULT.withTargets(square).withFeedForward(new Ia3.FeedForward(List.of("o_proj"), null)),
                2);
        Adapter sum = combined(Combination.LINEAR, List.of(outputs, inputs), List.of(0.7, 0.4))
                .adapter();

        assertThat(sum.method()).isInstanceOf(Lora.class);
        Selection exact = Selection.average(
                List.of(Selection.of(outputs), Selection.of(inputs), Selection.BASE), List.of(0.7, 0.4, -0.1));
        assertThat(apart(Selection.of(sum), exact, outputs)).isLessThan(5e-3);
    }

    @Test
    void refusesWhatIsTrainedInsideMixtures() {
        LoraConfig config = TWO.withParameters(List.of("experts.down_proj"));
        Adapter experts = trained("mixtral", new Lora(config), 1);
        assertThatThrownBy(() -> combined(Combination.LINEAR, List.of(experts, experts), List.of(0.5, 0.5)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("of a mixture (target_parameters)")
                .hasMessageContaining("graft merge");
    }

    @Test
    void adaptersWithoutAnUpdateCanOnlyBeAveraged() {
        Adapter a = trained(Bases.BERT, Pfeiffer.DEFAULT, 1);
        Adapter b = trained(Bases.BERT, Pfeiffer.DEFAULT, 2);
        assertThatThrownBy(() -> combined(Combination.LINEAR, List.of(a, b), List.of(0.5, 0.5)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("be merged into one update of weights");
        Adapter mean = combined(Combination.AVERAGE, List.of(a, b), List.of(0.25, 0.75))
                .adapter();
        mean.parameters().forEach((key, parameter) -> {
            Tensor expected = Ops.addScaled(Ops.scale(a.value(key), 0.25), b.value(key), 0.75);
            assertThat(parameter.value().allclose(expected)).isTrue();
        });
        assertThatThrownBy(() -> combined(Combination.AVERAGE, List.of(a, b), List.of(0.5, 0.6)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("sum to 1.1");
        BottleneckConfig curved = Pfeiffer.DEFAULT.config().withActivation("tanh");
        assertThatThrownBy(() -> combined(
                        Combination.AVERAGE,
                        List.of(a, trained(Bases.BERT, new Pfeiffer(curved), 2)),
                        List.of(0.5, 0.5)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("non_linearity is \"relu\" in one adapter and \"tanh\" in another");
        for (Adapter lora : List.of(
                lora(TWO, 1),
                trained(Bases.LLAMA, AdapterHubLora.DEFAULT, 1),
                trained(Bases.GPT2, AdapterHubLora.DEFAULT, 1))) {
            assertThatThrownBy(() -> combined(Combination.AVERAGE, List.of(lora, lora), List.of(0.5, 0.5)))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("take linear");
        }
    }

    /** GPT-2's layer of queries, keys and values has a B for each part that AdapterHub adapts. */
    @Test
    void adapterHubsLorasKeepTheirRank() {
        for (String base : List.of(Bases.LLAMA, Bases.GPT2)) {
            Adapter a = trained(base, AdapterHubLora.DEFAULT, 1);
            Adapter b = trained(base, AdapterHubLora.DEFAULT, 2);
            CombinedAdapter sum = combined(Combination.LINEAR, List.of(a, b), List.of(0.7, -0.4));
            Selection strengths = Selection.all(Selection.of(a, 0.7), Selection.of(b, -0.4));

            assertThat(sum.error()).isLessThan(1e-6);
            assertThat(Bases.difference(
                            a.base()
                                    .logits(
                                            Bases.batch(),
                                            ForwardPass.inference(
                                                    Selection.of(sum.adapter()).hooks())),
                            a.base().logits(Bases.batch(), ForwardPass.inference(strengths.hooks())),
                            Bases.batch().mask()))
                    .isLessThan(1e-4);
        }
    }

    @Test
    void refusesWhatCannotBeCombined() {
        Adapter lora = lora(TWO, 1);
        Adapter elsewhere = trained(Bases.TIED, new Lora(TWO), 1);
        assertThatThrownBy(() -> combined(Combination.LINEAR, List.of(lora, elsewhere), List.of(1.0, 1.0)))
                .hasMessageContaining("one base object");
        assertThatThrownBy(() -> combined(Combination.LINEAR, List.of(lora), List.of(1.0, 1.0)))
                .hasMessageContaining("1 adapters and 2 weights");
        assertThatThrownBy(() -> combined(Combination.LINEAR, List.of(lora), List.of(0.0)))
                .hasMessageContaining("aren't all 0");
        assertThatThrownBy(() -> combined(Combination.LINEAR, List.of(lora), List.of(Double.NaN)))
                .isInstanceOf(InputException.class);
        assertThatThrownBy(() -> Combination.named("tis")).hasMessageContaining("ties, ties_svd");
        for (double density : new double[] {0, -1, 1.5, Double.NaN}) {
            assertThatThrownBy(() -> ALL.withDensity(density))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("density");
        }
        assertThatThrownBy(() -> CombinedAdapter.of(
                        List.of(lora),
                        List.of(1.0),
                        Combination.DELLA,
                        CombinationSettings.DEFAULT.withDensity(0.9),
                        null))
                .hasMessageContaining("must be probabilities");
    }

    @Test
    void tiesOfDisjointUpdatesIsTheirUnion() {
        Tensor a = matrix(1, 0, 0, -2);
        Tensor b = matrix(0, 3, -4, 0);
        Tensor union = Combination.TIES.combine(List.of(a, b), List.of(1.0, 1.0), ALL, "m");

        assertThat(Tensors.doubles(union)).containsExactly(1, 3, -4, -2);
    }

    @Test
    void tiesAveragesWhatAgreesWithTheElectedSign() {
        List<Tensor> updates = List.of(matrix(3, 1, 1, 2), matrix(-1, 1, -1, 4), matrix(-1, -3, 1, -3));

        assertThat(Tensors.doubles(Combination.TIES.combine(updates, List.of(1.0, 1.0, 1.0), ALL, "m")))
                .containsExactly(3, -3, 1, 3);
        assertThat(Tensors.doubles(Combination.TIES.combine(
                        updates,
                        List.of(1.0, 1.0, 1.0),
                        ALL.withElection(CombinationSettings.Election.FREQUENCY),
                        "m")))
                .containsExactly(-1, 1, 1, 3);
        assertThat(Tensors.doubles(Combination.TIES.combine(
                        List.of(matrix(1, 1, 1, 1), matrix(-2, 2, 1, 1)), List.of(1.0, -1.0), ALL, "m")))
                .as("a negative weight votes for the opposite")
                .containsExactly(1.5, -2, 0, 0);
    }

    @ParameterizedTest
    @EnumSource(names = {"DARE_LINEAR", "DELLA_LINEAR"})
    void randomPruningKeepsTheExpectation(Combination combination) {
        Tensor update = matrix(1, -2, 3, 0.5);
        double[] mean = new double[4];
        for (int seed = 0; seed < 4000; seed++) {
            CombinationSettings settings =
                    CombinationSettings.DEFAULT.withDensity(0.6).withSampler(MaskSampler.of(seed));
            double[] values = Tensors.doubles(combination.combine(List.of(update), List.of(1.0), settings, "m"));
            for (int i = 0; i < 4; i++) {
                mean[i] += values[i] / 4000;
            }
        }
        assertThat(mean).containsExactly(new double[] {1, -2, 3, 0.5}, within(0.15));
    }

    @Test
    void dellaKeepsLargeEntriesMoreOften() {
        Tensor row = Ops.to(Tensors.of(new float[] {4, 1, 2, 3}, 1, 4), ScalarType.Double);
        CombinationSettings settings = ALL.withDensity(0.5);
        CombinationSettings spread =
                new CombinationSettings(0.5, 0.3, 0, settings.election(), (probabilities, module, adapter) -> {
                    assertThat(Tensors.doubles(probabilities))
                            .containsExactly(new double[] {0.8, 0.2, 0.4, 0.6}, within(1e-12));
                    return torch.ones_like(probabilities);
                });
        Combination.DELLA.combine(List.of(row), List.of(1.0), spread, "m");
        Tensor column = Ops.to(Tensors.of(new float[] {1, 2}, 2, 1), ScalarType.Double);
        assertThat(Tensors.doubles(Combination.DELLA.combine(
                        List.of(column), List.of(1.0), CombinationSettings.DEFAULT.withDensity(0.5), "m")))
                .doesNotContain(Double.NaN);
    }

    @Test
    void breadcrumbsDropOutliersAndSmallEntries() {
        float[] values = new float[100];
        for (int i = 0; i < 100; i++) {
            values[i] = i % 2 == 0 ? i + 1 : -i - 1;
        }
        Tensor update = Ops.to(Tensors.of(values, 10, 10), ScalarType.Double);
        CombinationSettings settings =
                new CombinationSettings(0.3, 0, 0.05, CombinationSettings.Election.TOTAL, MaskSampler.of(0));
        double[] kept = Tensors.doubles(Combination.BREADCRUMBS.combine(List.of(update), List.of(1.0), settings, "m"));

        for (int i = 0; i < 100; i++) {
            assertThat(kept[i]).isEqualTo(i >= 65 && i < 95 ? values[i] : 0);
        }
        assertThat(Tensors.doubles(Combination.BREADCRUMBS.combine(
                        List.of(matrix(1, -2, 3, 4)), List.of(1.0), CombinationSettings.DEFAULT.withDensity(0.5), "m")))
                .as("so few entries that none is an outlier")
                .containsExactly(new double[] {0, 0, 3, 4}, within(0.0));
    }

    private static Tensor matrix(double a, double b, double c, double d) {
        return Ops.to(Tensors.of(new float[] {(float) a, (float) b, (float) c, (float) d}, 2, 2), ScalarType.Double);
    }
}
