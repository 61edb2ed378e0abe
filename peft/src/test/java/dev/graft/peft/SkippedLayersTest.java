package dev.graft.peft;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.models.Base;
import dev.graft.models.cache.KvCache;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.methods.bottleneck.Houlsby;
import dev.graft.peft.methods.hybrid.UniPelt;
import dev.graft.peft.methods.prompt.AdapterHubPrefix;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Tensors;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

/** Adapters that don't act in some layers. */
class SkippedLayersTest {
    private static final Base BASE = Bases.load(Bases.LLAMA);

    private static Tensor logits(Hooks hooks) {
        return BASE.logits(Bases.batch(), ForwardPass.inference(hooks));
    }

    private static double difference(Hooks a, Hooks b) {
        return Bases.difference(logits(a), logits(b), Bases.batch().mask());
    }

    @Test
    void skippingEveryLayerIsTheBase() {
        Adapter adapter = Adapter.create(BASE, UniPelt.DEFAULT, 1);
        Selection all = Selection.of(adapter);

        assertThat(difference(all.skipping(Set.of(0, 1)).hooks(), Hooks.NONE)).isLessThan(1e-5);
        assertThat(difference(all.skipping(Set.of(0)).hooks(), Hooks.NONE)).isGreaterThan(1e-3);
        assertThat(difference(all.skipping(Set.of(0)).hooks(), all.hooks())).isGreaterThan(1e-3);
    }

    @Test
    void skippingALayerIsLeavingItOut() {
        Houlsby whole = Houlsby.ADAPTER_HUB.withReduction(2);
        Houlsby last = new Houlsby(whole.config().withLeaveOut(List.of(0)), false);

        assertThat(difference(
                        Selection.of(Adapter.create(BASE, whole, 1))
                                .skipping(Set.of(0))
                                .hooks(),
                        Selection.of(Adapter.create(BASE, last, 1)).hooks()))
                .isZero();
    }

    @Test
    void rowsSkipTheirOwnLayers() {
        Adapter prefix = Adapter.create(
                BASE,
                AdapterHubPrefix.DEFAULT.with().tokens(3).flat(true).inside(8).build(),
                1);
        List<Selection> rows = List.of(
                Selection.of(prefix).skipping(Set.of(0)),
                Selection.of(prefix),
                Selection.of(prefix).skipping(Set.of(1)),
                Selection.BASE,
                Selection.of(prefix).skipping(Set.of(0, 1)));
        Tensor mixed = logits(Selection.rows(rows).hooks());

        for (int row = 0; row < rows.size(); row++) {
            Tensor alone = logits(rows.get(row).hooks()).narrow(0, row, 1);
            assertThat(Bases.difference(
                            mixed.narrow(0, row, 1), alone, Bases.batch().mask().narrow(0, row, 1)))
                    .as("row %d", row)
                    .isLessThan(2e-5);
        }
    }

    @Test
    void aPrefixThatLeavesOutLayersGeneratesWithACacheWhatItComputesWithout() {
        for (int left = 0; left < 2; left++) {
            AdapterHubPrefix method = AdapterHubPrefix.DEFAULT
                    .with()
                    .tokens(3)
                    .flat(true)
                    .inside(8)
                    .leaveOut(List.of(left))
                    .build();
            Hooks hooks = Selection.of(Adapter.create(BASE, method, 1)).hooks();
            try (NoGrad noGrad = new NoGrad();
                    KvCache cache = new KvCache(7)) {
                long[][] ids = {{5, 9, 12, 7, 30, 11, 6}};
                Tensor all = Tensors.of(ids);
                Tensor whole = BASE.logits(Inputs.of(ids), ForwardPass.inference(hooks));
                BASE.logits(of(all.narrow(1, 0, 4)), ForwardPass.cached(hooks, cache));
                for (int at = 4; at < 7; at++) {
                    Tensor step = BASE.logits(of(all.narrow(1, at, 1)), ForwardPass.cached(hooks, cache));
                    assertThat(Tensors.item(step.select(1, 0)
                                    .sub(whole.select(1, at))
                                    .abs()
                                    .amax()))
                            .isLessThan(1e-5);
                }
            }
        }
    }

    private static Inputs of(Tensor ids) {
        return Inputs.of(ids, Tensors.ones(ids.scalar_type(), Tensors.shape(ids)));
    }
}
