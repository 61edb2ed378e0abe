package dev.graft.run.doctor;

import java.util.List;

/** A check of {@code graft doctor} with findings on one subject. */
public interface DoctorCheck {

    /** Returns the heading, such as {@code Processor}. */
    String title();

    List<DoctorFinding> findings(HostSystem host);
}
