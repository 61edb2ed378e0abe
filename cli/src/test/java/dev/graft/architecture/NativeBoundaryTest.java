package dev.graft.architecture;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.methods;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static dev.graft.architecture.MainClasses.ALL;

import com.tngtech.archunit.core.domain.JavaMethodCall;
import com.tngtech.archunit.core.domain.JavaModifier;
import dev.graft.tensor.internal.kernels.Operand;
import org.bytedeco.javacpp.Pointer;
import org.junit.jupiter.api.Test;

/** Loops in C++ get an address only from an {@link Operand}, which has compared its tensor with what the loop touches. */
class NativeBoundaryTest {
    @Test
    void nativeMethodsArePrivate() {
        methods().that().haveModifier(JavaModifier.NATIVE).should().bePrivate().check(ALL);
    }

    @Test
    void addressesComeFromOperands() {
        noClasses()
                .that()
                .doNotHaveFullyQualifiedName(Operand.class.getName())
                .should()
                .callMethodWhere(describe(
                        "Pointer.address()",
                        (JavaMethodCall call) -> call.getName().equals("address")
                                && call.getTargetOwner().isAssignableTo(Pointer.class)))
                .check(ALL);
    }
}
