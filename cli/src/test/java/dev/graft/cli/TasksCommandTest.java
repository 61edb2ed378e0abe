package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.eval.tasks.TaskTypes;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

class TasksCommandTest {

    @Test
    void theTableHasEveryTaskWithItsRows() {
        Cli run = Cli.run("tasks");
        assertThat(run.code()).isZero();
        assertThat(run.out()).startsWith("task ").containsPattern("\nkto +CAUSAL_LM +judged answers\n");
        assertThat(TaskTypes.named())
                .isNotEmpty()
                .allSatisfy(task -> assertThat(run.out()).contains("\n" + task.option() + " "));
    }

    @Test
    void aPageShowsARowAndTheOptions() {
        Cli run = Cli.run("tasks", "SimPO");
        assertThat(run.code()).isZero();
        assertThat(run.out())
                .contains("task: simpo\nmodel: CAUSAL_LM\n", "\"chosen\": \" 4\", \"rejected\": \" 5\"}")
                .containsPattern("learning_rate +5e-05 ")
                .containsPattern("preference\\.gamma +0\\.5 +Reward by which")
                .doesNotContain("preference.loss");
    }

    @Test
    void theJsonHasTheKeysOfRows() {
        JsonNode tasks = Cli.run("tasks", "--json").json().get("tasks");
        assertThat(tasks).hasSameSizeAs(TaskTypes.named());
        JsonNode embed = Cli.run("tasks", "embed", "--json").json().at("/tasks/0");
        assertThat(embed.at("/rows/0/keys").valueStream().map(JsonNode::stringValue))
                .containsExactly("anchor", "positive");
        assertThat(embed.get("batch_size").intValue()).isEqualTo(32);
    }

    @Test
    void anUnknownTaskIsRefusedWithThoseThatExist() {
        Cli run = Cli.run("tasks", "dop");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).startsWith("task is \"dop\", expected one of classify, causal,");
    }
}
