package dev.graft.cli.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.run.doctor.DoctorFinding;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class DoctorReportTest {
    @Test
    void theReportIsTextForPeopleAndJsonForPrograms() {
        Map<String, List<DoctorFinding>> findings = Map.of(
                "Disk", List.of(DoctorFinding.ok("free", "9 GiB"), DoctorFinding.problem("home", "gone", "make it")));

        assertThat(DoctorReport.text(findings))
                .isEqualTo("Disk\n  ok       free  9 GiB\n  PROBLEM  home  gone: make it\n");
        assertThat(DoctorReport.json(findings).replaceAll("\\s", ""))
                .isEqualTo(
                        "{\"findings\":[{\"advice\":null,\"group\":\"Disk\",\"name\":\"free\",\"state\":\"ok\",\"value\":\"9GiB\"},"
                                + "{\"advice\":\"makeit\",\"group\":\"Disk\",\"name\":\"home\",\"state\":\"problem\",\"value\":\"gone\"}]}");
    }
}
