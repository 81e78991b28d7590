"""What a job would cost: its way is rehearsed without the services; what it would ask is priced by what was measured.

Nothing is invented: a rate that was never measured on this installation is unknown, and the answer says how to get it.
"""
