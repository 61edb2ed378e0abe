package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.hub.Catalogue;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

class PullCommandTest {

    @Test
    void theListHasNamesLicencesAndSizes() {
        Cli run = Cli.run("pull", "--list");
        assertThat(run.code()).isZero();
        assertThat(run.out()).containsPattern("smollm2 +88\\.6 MiB +Apache-2\\.0 +SmolLM2-135M-Instruct");
        JsonNode list = Cli.run("pull", "--list", "--json").json().get("catalogue");
        assertThat(list.size()).isEqualTo(Catalogue.entries().size());
        assertThat(list.get(0).get("source").stringValue()).startsWith("maven:dev.langchain4j:");
    }

    @Test
    void whatIsOnThisMachineIsNotFetched() {
        Cli run = Cli.run("pull", "file:" + Cli.base("llama-gqa"));
        assertThat(run.out()).isEqualTo(Cli.base("llama-gqa") + "\n");
        JsonNode one = Cli.run("pull", "file:" + Cli.base("llama-gqa"), "--json")
                .json()
                .at("/fetched/0");
        assertThat(one.get("files").valueStream().map(JsonNode::stringValue))
                .contains("config.json", "model.safetensors");
        assertThat(one.get("bytes").longValue()).isGreaterThan(90_000);
    }

    @Test
    void oneOfSourceAndListIsNeeded() {
        assertThat(Cli.run("pull").code()).isEqualTo(2);
        assertThat(Cli.run("pull", "--list", "minilm").err()).startsWith("name a source, or give --list\n");
    }

    @Test
    void aMistypedNameIsRefusedWithTheNearest() {
        Cli run = Cli.run("pull", "minilmm");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("did you mean 'minilm'?");
    }
}
