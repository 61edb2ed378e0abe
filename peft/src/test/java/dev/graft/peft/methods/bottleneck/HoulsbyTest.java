package dev.graft.peft.methods.bottleneck;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.models.Base;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.methods.bottleneck.BottleneckConfig.Init;
import dev.graft.peft.methods.bottleneck.BottleneckConfig.Scaling;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HoulsbyTest extends MethodContract {
    private static final long PLACE = 2 * 32 * 4 + 4 + 32;

    @Override
    protected List<Case> cases() {
        Houlsby paper = Houlsby.DEFAULT.withReduction(8);
        Houlsby strong = new Houlsby(paper.config().withScaling(Scaling.of(100)), true);
        Houlsby hub = Houlsby.ADAPTER_HUB.withReduction(8);
        Houlsby zero = new Houlsby(hub.config().withInit(Init.MAM_ADAPTER), false);
        return List.of(
                new Case(Bases.BERT, strong, 4 * PLACE + 5 * 64, false),
                new Case(Bases.BERT, zero, 4 * PLACE, true),
                new Case(Bases.LLAMA, strong, 4 * PLACE + 5 * 32, false),
                new Case(Bases.LLAMA, zero, 4 * PLACE, true));
    }

    @Test
    void startsNearTheBaseAndTrainsEveryNorm() {
        Base base = Bases.load(Bases.BERT);
        Adapter adapter = Adapter.create(base, Houlsby.DEFAULT, 1);

        for (Site site : base.sites()) {
            if (site instanceof Norm norm) {
                Tensor trained = adapter.trainable().get(norm.name() + ".weight");
                assertThat(trained.equal(norm.weight())).as(norm.name()).isTrue();
            }
        }
        assertThat(adapter.trainable().entrySet().stream()
                        .filter(entry -> entry.getKey().endsWith("adapter_up.weight"))
                        .mapToDouble(entry -> dev.graft.tensor.Tensors.item(
                                entry.getValue().abs().amax()))
                        .max()
                        .orElseThrow())
                .isBetween(0.015, 0.02);
    }

    @Test
    void aFileWithoutTheFieldForNormsHasNone(@TempDir Path folder) {
        Base base = Bases.load(Bases.BERT);
        Adapter.create(base, Houlsby.ADAPTER_HUB.withReduction(8), 1).save(folder.resolve("hub"));
        Adapter.create(base, Houlsby.DEFAULT.withReduction(8), 1).save(folder.resolve("paper"));

        assertThat(((Houlsby) Adapter.load(base, folder.resolve("hub")).method()).layerNorms())
                .isFalse();
        assertThat(((Houlsby) Adapter.load(base, folder.resolve("paper")).method()).layerNorms())
                .isTrue();
        assertThat(folder.resolve("hub/adapter_config.json")).content().doesNotContain("layer_norms");
    }
}
