CREATE OR REPLACE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event FOR EACH ROW BEGIN RAISE_APPLICATION_ERROR(-20001, 'append-only table audit_event'); END;
CREATE OR REPLACE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event FOR EACH ROW BEGIN RAISE_APPLICATION_ERROR(-20001, 'append-only table audit_event'); END;
