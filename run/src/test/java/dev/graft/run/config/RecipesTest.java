package dev.graft.run.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RecipesTest {
    @TempDir
    Path project;

    private Path chat;

    @BeforeEach
    void recipes() throws IOException {
        chat = Files.createDirectories(project.resolve("recipes")).resolve("smollm2-chat.yaml");
        Files.writeString(chat, "model: m\n");
        Files.writeString(project.resolve("recipes/minilm.yaml"), "model: m\n");
    }

    @Test
    void aBareNameIsLookedUpInTheProject() {
        Recipes recipes = new Recipes(List.of(project.resolve("elsewhere"), project));

        assertThat(recipes.find("smollm2-chat")).isEqualTo(chat);
        assertThat(recipes.find("smollm2-chat.yaml")).isEqualTo(chat);
        assertThat(recipes.find(chat.toString())).isEqualTo(chat);
        assertThat(recipes.names()).containsExactly("minilm", "smollm2-chat");
    }

    @Test
    void anUnknownRecipeIsRefusedWithTheNearestOrWithAllThereAre() {
        Recipes recipes = new Recipes(List.of(project));

        assertThatThrownBy(() -> recipes.find("smollm-chat"))
                .isInstanceOf(InputException.class)
                .hasMessage("no recipe smollm-chat; did you mean smollm2-chat?");
        assertThatThrownBy(() -> recipes.find("else.yaml"))
                .hasMessage("no recipe else.yaml; recipes: minilm, smollm2-chat");
        assertThatThrownBy(() -> new Recipes(List.of()).find("x"))
                .hasMessage("no recipe x; give the path of a YAML file, or options as key=value");
    }

    @Test
    void rowsOfTheProjectAreFoundFromAnyFolder() throws IOException {
        Path rows = Files.createDirectories(project.resolve("recipes/data")).resolve("x.jsonl");
        Files.writeString(rows, "{}\n");

        assertThat(Recipes.file(chat, "recipes/data/x.jsonl")).isEqualTo(rows.toString());
        assertThat(Recipes.file(chat, "recipes/data/none.jsonl")).isEqualTo("recipes/data/none.jsonl");
        assertThat(Recipes.file(chat, "data/x.jsonl")).isEqualTo("data/x.jsonl");
        Files.writeString(chat, "model: m\ndata:\n  train: recipes/data/x.jsonl\n");
        assertThat(ConfigReader.read(chat, List.of(), Map.of(), notice -> {})
                        .data()
                        .train())
                .hasToString(rows.toString());
    }

    @Test
    void aPathIsNotLookedUpElsewhere() {
        assertThatThrownBy(() -> new Recipes(List.of(project)).find("some/smollm2-chat.yaml"))
                .hasMessage("no recipe some/smollm2-chat.yaml; did you mean smollm2-chat?");
    }
}
