package dev.graft.peft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import java.lang.reflect.Constructor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

class RegistryTest {
    @Test
    void everyMethodPassesTheContract() throws Exception {
        for (Method.Type type : Methods.all()) {
            String test = type.getClass().getEnclosingClass().getName() + "Test";

            assertThat(MethodContract.class)
                    .as("%s needs the contract test %s", type.name(), test)
                    .isAssignableFrom(Class.forName(test));
            Constructor<?> constructor = Class.forName(test).getDeclaredConstructor();
            constructor.setAccessible(true);
            MethodContract contract = (MethodContract) constructor.newInstance();
            assertThat(contract.cases().get(0).identity())
                    .as("whether a new %s is the identity", type.name())
                    .isEqualTo(type.capabilities().identityAtStart());
            assertThat(contract.cases())
                    .allSatisfy(c -> assertThat(c.method().type().name()).isEqualTo(type.name()));
            assertThat(contract.cases().stream().map(c -> c.base().equals(Bases.BERT)))
                    .as("%s is tested on the kinds of bases that it works on", type.name())
                    .containsAll(kinds(type.capabilities()));
        }
    }

    private static Set<Boolean> kinds(Method.Capabilities capabilities) {
        Set<Boolean> encoders = new HashSet<>();
        if (capabilities.encoder()) {
            encoders.add(true);
        }
        if (capabilities.decoder()) {
            encoders.add(false);
        }
        return encoders;
    }

    @Test
    void everyMethodHasItsPage() {
        for (Method.Type type : Methods.all()) {
            assertThat(Path.of("../docs/methods/" + type.name() + ".md")).exists();
            assertThat(Path.of("../docs/methods/index.md")).content().contains("(" + type.name() + ".md)");
        }
        assertThat(Files.exists(Path.of("../docs/methods"))).isTrue();
    }

    @Test
    void namesAreUniqueAndFoundAgain() {
        Set<String> names = new HashSet<>();
        for (Method.Type type : Methods.all()) {
            assertThat(names.add(type.name())).isTrue();
            assertThat(type.name()).matches("[a-z0-9]+(-[a-z0-9]+)*");
            assertThat(Methods.named(type.name()).getClass()).isEqualTo(type.getClass());
            assertThat(type.summary()).isNotBlank().doesNotEndWith(".");
            assertThat(type.defaults().type().name()).isEqualTo(type.name());
        }
    }

    @Test
    void anUnknownNameIsRefusedWithTheKnownOnes() {
        assertThatThrownBy(() -> Methods.named("lorra"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("\"lorra\"")
                .hasMessageContaining("lora");
    }
}
