package dev.graft.eval.cost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.eval.cost.LatencySweep.Point;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Role;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LatencySweepTest {
    private static Base base(String name, Task task) {
        return Base.load(Path.of("../parity/fixtures/bases/" + name), Base.Options.of(task));
    }

    @Test
    void everyLengthHasTheBaseLoraAndPrompts() {
        List<Point> emitted = new ArrayList<>();
        List<Point> points = new LatencySweep(base("bert-base", Task.FEATURE_EXTRACTION), 3)
                .run(List.of(4, 16), List.of(2, 8), emitted::add);

        assertThat(points).isEqualTo(emitted).hasSize(10);
        assertThat(points.subList(0, 5))
                .extracting(Point::what)
                .containsExactly("base", "lora beside it", "lora merged", "prompt of 2", "prompt of 8");
        assertThat(points)
                .allSatisfy(point -> assertThat(point.p95())
                        .isGreaterThanOrEqualTo(point.p50())
                        .isPositive());
        assertThat(points.get(1).flops()).isGreaterThan(points.get(0).flops());
        assertThat(points.get(2).flops()).isEqualTo(points.get(0).flops());
        assertThat(points.get(4).flops()).isGreaterThan(2 * points.get(0).flops());
    }

    @Test
    void causalModelsAreTimedUntilTheirFirstToken() {
        assertThat(new LatencySweep(base("llama-gqa", Task.CAUSAL_LM), 2).run(List.of(4), List.of(2), point -> {}))
                .hasSize(4);
    }

    @ParameterizedTest
    @CsvSource({"bert-base, FEATURE_EXTRACTION", "llama-gqa, CAUSAL_LM"})
    void operationsOfLinearLayersAreThoseThatAPassCalls(String name, Task task) {
        Base base = base(name, task);
        double[] counted = {0};
        Hooks counting = new Hooks() {
            @Override
            public Tensor linear(Linear site, Tensor x, PassView pass) {
                counted[0] += 2.0 * x.numel() * site.out();
                if (site.role() == Role.OUTPUT) {
                    counted[0] += 4.0 * 7 * 7 * site.in();
                }
                return site.apply(x, pass);
            }
        };
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            base.forward(
                    base.backbone().dummyInputs(new long[][] {{1, 2, 3, 4, 5, 6, 7}}), ForwardPass.inference(counting));
        }
        assertThat(counted[0]).isPositive().isEqualTo(LatencySweep.flops(base, 7));
    }

    @Test
    void rowsLongerThanTheBaseTakesAreRefused() {
        LatencySweep sweep = new LatencySweep(base("bert-base", Task.FEATURE_EXTRACTION), 2);
        assertThatThrownBy(() -> sweep.run(List.of(40), List.of(20), point -> {}))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("positions of");
    }
}
