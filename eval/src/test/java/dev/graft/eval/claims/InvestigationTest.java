package dev.graft.eval.claims;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.eval.compare.ComparisonEntry;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.peft.Adapter;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class InvestigationTest {
    @Test
    void transferIsATableOfDomains() {
        StudyResults results = new StudyResults(Map.of(
                "films", List.of(ClaimTest.standing("lora", 300)),
                "films-to-news", List.of(ClaimTest.standing("lora", 200)),
                "news", List.of(ClaimTest.standing("lora", 320))));
        ScoreTable table = Investigation.TRANSFER.table(results);
        assertThat(table.head()).containsExactly("method, trained on", "films", "news");
        assertThat(table.rows())
                .containsExactly(List.of("lora, films", "0.7500", "0.5000"), List.of("lora, news", "", "0.8000"));
        assertThat(Investigation.SHIFT.table(results).rows()).containsExactly(List.of("lora", "0.7500", "0.2500"));
        assertThat(table.toJson().at("/cells/1/value").doubleValue()).isEqualTo(0.5);
        // Trials of before it was measured have no calibration.
        assertThat(Investigation.CALIBRATION.table(results).columns()).containsExactly("accuracy");
    }

    @Test
    void studiesAreSharedWithTheClaimsAndHaveNamesOfTheirOwn() {
        assertThat(Investigation.TRANSFER.studies()).hasSize(4).contains(Studies.FILMS);
        assertThat(Investigation.SHOTS.studies()).extracting(Study::shots).containsExactly(1, 2, 4, 8, 16, 32, 64);
        Set<Study> all = new HashSet<>();
        Set<String> names = new TreeSet<>();
        for (Investigation each : Investigation.values()) {
            all.addAll(each.studies());
        }
        all.forEach(study -> study.names()
                .forEach(name -> assertThat(names.add(name)).as(name).isTrue()));
        assertThat(names).hasSize(all.size() + 12);
        assertThatThrownBy(() -> Investigation.named("x"))
                .hasMessageContaining("transfer, shots, shift, layers, calibration");
    }

    @Test
    void loraIsPutOnEachRoleAndInEachLayerAlone() {
        Base base = Base.load(
                Path.of("../parity/fixtures/bases/bert-base"),
                Base.Options.of(Task.SEQ_CLS).withLabels(List.of("a", "b")));
        List<ComparisonEntry> contenders = LayerSweep.of(base, 1e-3, 1e-3);
        assertThat(contenders)
                .extracting(ComparisonEntry::name)
                .contains("lora-everywhere", "lora-on-query", "lora-on-up", "lora-on-down", "lora-in-layer-1");
        for (ComparisonEntry entry : contenders) {
            ComparisonEntry.Trained trained = (ComparisonEntry.Trained) entry;
            Adapter adapter = Adapter.create(base, trained.methodFactory().apply(base), 1);
            if (entry.name().equals("lora-on-query")) {
                assertThat(adapter.sites())
                        .isNotEmpty()
                        .allMatch(site ->
                                site.name().endsWith("query") || site.name().equals("classifier"));
            } else if (entry.name().equals("lora-in-layer-1")) {
                assertThat(adapter.sites())
                        .isNotEmpty()
                        .allMatch(site ->
                                site.name().contains("layer.0.") || site.name().equals("classifier"));
            }
        }
    }
}
